import { useState } from 'react';
import { isKeptSecret, KEPT_SECRET, type FieldSchema } from '../api/protocols';
import { useT } from '../i18n/i18n';
import { Button } from '../ui/Button';
import { AreaField, CheckField, Field, SelectField, TextField } from '../ui/Field';
import type { FormValue } from './form';
import { choiceTitle, grouped, mayBeEmpty, type FieldKind } from './schema';

/** Largest file read into a field: keys and certificates are a few kilobytes. */
const FILE_BYTES_MAX = 65_536;

export interface FieldInputProps {
  field: FieldSchema;
  kind: FieldKind;
  label: string;
  hint: string | undefined;
  error: string | undefined;
  required: boolean;
  value: FormValue | undefined;
  onChange: (value: FormValue) => void;
  autoFocus?: boolean;
}

/** One field by its kind. */
export function FieldInput(props: FieldInputProps) {
  const { field, kind, label, hint, error, required, value, onChange, autoFocus } = props;
  const { t, language } = useT();
  const text = typeof value === 'string' ? value : '';
  switch (kind) {
    case 'truth':
      return (
        <CheckField
          label={label}
          {...(hint ? { hint } : {})}
          checked={value === true}
          onChange={(on) => onChange(on)}
        />
      );
    case 'choice':
      return (
        <SelectField label={label} hint={hint} error={error} value={text} onChange={onChange}>
          {mayBeEmpty(field, required) ? <option value="">{t('schema.notSet')}</option> : null}
          {(field.enum ?? [])
            .filter((choice) => choice !== null)
            .map((choice) => (
              <option key={String(choice)} value={String(choice)}>
                {choiceTitle(field, choice, language)}
              </option>
            ))}
        </SelectField>
      );
    case 'choices': {
      const chosen = Array.isArray(value) ? (value as string[]) : [];
      return (
        <fieldset className="checks schema-wide">
          <legend>{label}</legend>
          {(field.items?.enum ?? []).map(String).map((choice) => (
            <CheckField
              key={choice}
              label={choiceTitle(field.items ?? {}, choice, language)}
              checked={chosen.includes(choice)}
              onChange={(on) => onChange(on ? [...chosen, choice] : chosen.filter((one) => one !== choice))}
            />
          ))}
          {hint ? <span className="field-hint">{hint}</span> : null}
          {error ? <span className="field-error">{error}</span> : null}
        </fieldset>
      );
    }
    case 'trusted':
      return <Trusted {...props} />;
    case 'secret':
      return <Secret {...props} />;
    case 'multiline':
      return <Multiline {...props} text={text} />;
    case 'texts':
    case 'json':
      return (
        <AreaField
          className={kind === 'json' ? 'schema-wide mono' : 'schema-wide'}
          label={label}
          hint={kind === 'texts' ? (hint ? t('schema.hintOnePerLine', { hint }) : t('schema.onePerLine')) : hint}
          error={error}
          rows={kind === 'json' ? 5 : 3}
          value={text}
          onChange={onChange}
        />
      );
    default:
      return (
        <TextField
          label={label}
          hint={hint}
          error={error}
          required={required}
          inputMode={kind === 'integer' ? 'numeric' : kind === 'number' ? 'decimal' : 'text'}
          value={text}
          onChange={onChange}
          autoFocus={autoFocus}
        />
      );
  }
}

/** A secret: typed once, kept by the node, never shown again. */
function Secret(props: FieldInputProps) {
  const { field, label, hint, error, required, value, onChange } = props;
  const { t } = useT();
  const [shown, setShown] = useState(false);
  // Whether the node had one when the form began, to go back to it.
  const [kept] = useState(isKeptSecret(value));
  if (isKeptSecret(value)) {
    return (
      <Field label={label} hint={hint} error={error}>
        {(wiring) => (
          <div className="schema-secret" {...wiring} role="group">
            <span className="muted">{t('schema.secretKept')}</span>
            <Button label={t('schema.secretReplace')} onClick={() => onChange('')} />
          </div>
        )}
      </Field>
    );
  }
  const text = typeof value === 'string' ? value : '';
  const back = kept ? (
    <Button kind="quiet" label={t('schema.secretKeep')} onClick={() => onChange(KEPT_SECRET)} />
  ) : null;
  if (field['x-multiline'])
    return (
      <div className="schema-wide">
        <Multiline {...props} text={text} />
        {back}
      </div>
    );
  return (
    <div>
      <TextField
        type={shown ? 'text' : 'password'}
        autoComplete="new-password"
        label={label}
        hint={kept && text === '' ? t('schema.secretCleared') : hint}
        error={error}
        required={required}
        value={text}
        onChange={onChange}
      />
      <div className="row">
        {text ? (
          <Button
            kind="quiet"
            icon={shown ? 'hidden' : 'eye'}
            label={shown ? t('schema.secretHide') : t('schema.secretShow')}
            onClick={() => setShown(!shown)}
          />
        ) : null}
        {back}
      </div>
    </div>
  );
}

/** A text of several lines, which may come from a file: a key, a certificate, a query. */
function Multiline({ label, hint, error, required, onChange, text }: FieldInputProps & { text: string }) {
  const { t } = useT();
  const [wrong, setWrong] = useState<string>();
  const read = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > FILE_BYTES_MAX) setWrong(t('schema.fileTooLarge', { name: file.name }));
    else {
      setWrong(undefined);
      onChange(await file.text());
    }
  };
  return (
    <div className="schema-wide">
      <AreaField
        className="mono"
        label={label}
        hint={hint}
        error={wrong ?? error}
        required={required}
        rows={5}
        value={text}
        onChange={onChange}
      />
      <label className="button button-quiet schema-file">
        {t('schema.fromFile')}
        <input
          type="file"
          className="sr-only"
          onChange={(event) => {
            void read(event.target.files?.[0]);
            // The same file can be chosen again.
            event.target.value = '';
          }}
        />
      </label>
    </div>
  );
}

/** The certificates that were reviewed, by their thumbprints. */
function Trusted({ label, hint, error, value, onChange }: FieldInputProps) {
  const { t } = useT();
  const trusted = Array.isArray(value) ? (value as string[]) : [];
  return (
    <fieldset className="schema-group schema-wide">
      <legend>{label}</legend>
      {trusted.length === 0 ? <p className="muted">{t('schema.noneTrusted')}</p> : null}
      <ul className="trusted">
        {trusted.map((thumbprint) => (
          <li key={thumbprint}>
            <code>{grouped(thumbprint)}</code>
            <Button
              kind="quiet"
              icon="trash"
              iconOnly
              label={t('schema.distrust')}
              onClick={() => onChange(trusted.filter((one) => one !== thumbprint))}
            />
          </li>
        ))}
      </ul>
      {hint ? <p className="field-hint">{hint}</p> : null}
      {error ? <p className="field-error">{error}</p> : null}
    </fieldset>
  );
}
