import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { put, withId } from '../../api/client';
import type { ProtocolSchema } from '../../api/protocols';
import type { Device, Template, TemplateSummary } from '../../api/types';
import { templateOf } from '../../device/template';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { AreaField, TextField } from '../../ui/Field';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { sameName } from './named';

interface SaveTemplateDialogProps {
  device: Device;
  schema: ProtocolSchema;
  onClose: () => void;
  onDone: (text: string) => void;
}

/** A device kept as the type of more devices like it. One that has the name already is replaced only when asked. */
export function SaveTemplateDialog({ device, schema, onClose, onDone }: SaveTemplateDialogProps) {
  const { t, language } = useT();
  const queries = useQueryClient();
  const [name, setName] = useState(displayName(device, language));
  const [description, setDescription] = useState('');
  const [taken, setTaken] = useState<TemplateSummary>();
  const [checked, setChecked] = useState(false);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const missing = name.trim() === '';
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    setError(undefined);
    if (missing) return;
    setBusy(true);
    try {
      const found = taken ?? (await sameName(name));
      if (found && !taken) {
        setTaken(found);
        setBusy(false);
        return;
      }
      const etag = found ? `"${found.version}"` : null;
      const body = templateOf(device, schema, description);
      const made = await put<Template>(withId('/templates', name.trim()), body, etag);
      await queries.invalidateQueries({ queryKey: ['templates'] });
      onDone(t('templates.saved', { name: made.name }));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const form = 'save-template';
  return (
    <Dialog
      title={t('templates.saveTitle', { name: displayName(device, language) })}
      onClose={onClose}
      actions={
        <>
          <Button label={t('action.cancel')} onClick={onClose} />
          <Button
            kind={taken ? 'danger' : 'primary'}
            type="submit"
            form={form}
            label={taken ? t('templates.replace') : t('templates.save')}
            busy={busy}
          />
        </>
      }
    >
      <form id={form} className="form" noValidate onSubmit={(event) => void save(event)}>
        <p className="muted">{t('templates.saveAbout')}</p>
        <TextField
          label={t('templates.name')}
          hint={t('templates.nameHint')}
          value={name}
          required
          autoFocus
          error={checked && missing ? t('field.required') : fieldError(error, '/name')}
          onChange={(next) => {
            setName(next);
            setTaken(undefined);
          }}
        />
        <AreaField
          label={t('field.description')}
          rows={3}
          value={description}
          error={fieldError(error, '/description')}
          onChange={setDescription}
        />
        {taken ? (
          <p className="banner" role="alert">
            {t('templates.taken', { name: taken.name })}
          </p>
        ) : null}
        {error ? <ProblemPanel error={error} /> : null}
      </form>
    </Dialog>
  );
}
