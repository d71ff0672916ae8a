import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { patch, post, withId } from '../../api/client';
import { LEVELS, type Asset, type AssetDraft, type Grade, type Level } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { AssetOptions } from '../../ui/AssetSelect';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { useDraft } from '../../ui/draft';
import { AreaField, SelectField, TextField } from '../../ui/Field';
import { GradeField } from '../../ui/GradeField';
import { NameFields, namesOf, pairOf } from '../../ui/NameFields';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { useToast } from '../../ui/Toast';

interface AssetDialogProps {
  /** The asset to change; none to create one. */
  asset?: Asset | undefined;
  /** Where a new one shall stand. */
  parent?: Asset | undefined;
  assets: readonly Asset[];
  onClose: () => void;
  onSaved: (id: string) => void;
}

const PLACED = new Set(['/name', '/names', '/id', '/parent', '/level', '/grade', '/description']);

export function AssetDialog({ asset, parent, assets, onClose, onSaved }: AssetDialogProps) {
  const { t } = useT();
  const queries = useQueryClient();
  const say = useToast();
  const below =
    LEVELS[Math.min(LEVELS.indexOf(parent?.level ?? 'enterprise') + (parent ? 1 : 0), LEVELS.length - 1)]!;
  const draft = useDraft(`asset.${asset?.id ?? `new.${parent?.id ?? ''}`}`, {
    pair: asset ? pairOf(asset) : { zh: '', en: '' },
    id: '',
    level: asset?.level ?? below,
    parent: asset ? (asset.parent ?? '') : (parent?.id ?? ''),
    grade: asset?.own_grade ?? ('' as Grade | ''),
    description: asset?.description ?? '',
  });
  const { value } = draft;
  const set = (part: Partial<typeof value>) => draft.change((now) => ({ ...now, ...part }));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const body: AssetDraft = {
      ...namesOf(value.pair, asset),
      ...(!asset && value.id.trim() ? { id: value.id.trim() } : {}),
      level: value.level,
      parent: value.parent || null,
      grade: value.grade || null,
      description: value.description.trim(),
    };
    try {
      const saved = asset
        ? await patch<Asset>(withId('/assets', asset.id), body, `"${asset.version}"`)
        : await post<Asset>('/assets', body);
      draft.forget();
      await queries.invalidateQueries({ queryKey: ['assets'] });
      say(t('state.saved'));
      onSaved(saved?.id ?? asset?.id ?? '');
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const cancel = () => {
    draft.forget();
    onClose();
  };
  return (
    <Dialog title={asset ? t('asset.edit') : t('asset.add')} onClose={onClose}>
      <form className="form" onSubmit={(event) => void save(event)}>
        {error ? <ProblemPanel error={error} placed={(field) => PLACED.has(field)} /> : null}
        <NameFields
          value={value.pair}
          onChange={(pair) => set({ pair })}
          error={fieldError(error, '/name') ?? fieldError(error, '/names')}
        />
        {asset ? null : (
          <TextField
            label={t('field.identifier')}
            hint={t('field.identifierHint')}
            value={value.id}
            onChange={(id) => set({ id })}
            error={fieldError(error, '/id')}
          />
        )}
        <SelectField
          label={t('asset.parent')}
          value={value.parent}
          onChange={(id) => set({ parent: id })}
          error={fieldError(error, '/parent')}
        >
          <AssetOptions assets={assets} none={t('asset.noParent')} without={asset?.id} />
        </SelectField>
        <SelectField
          label={t('asset.level')}
          value={value.level}
          onChange={(level) => set({ level: level as Level })}
          error={fieldError(error, '/level')}
        >
          {LEVELS.map((level) => (
            <option key={level} value={level}>
              {t(`level.${level}`)}
            </option>
          ))}
        </SelectField>
        <GradeField
          value={value.grade}
          onChange={(grade) => set({ grade })}
          hint={t('field.gradeHint')}
          error={fieldError(error, '/grade')}
        />
        <AreaField
          label={t('field.description')}
          rows={2}
          value={value.description}
          onChange={(description) => set({ description })}
          error={fieldError(error, '/description')}
        />
        <div className="form-foot">
          <Button label={t('action.cancel')} onClick={cancel} />
          <Button kind="primary" type="submit" label={t('action.save')} busy={busy} />
        </div>
      </form>
    </Dialog>
  );
}
