import { useState, type ReactNode } from 'react';
import type { FieldSchema } from '../api/protocols';
import { useT } from '../i18n/i18n';
import { Button } from '../ui/Button';
import { emptyRow, jsonOf, type FormErrors, type FormValue, type FormValues } from './form';
import { FieldInput } from './FieldInput';
import { descriptionOf, fieldsOf, isRequired, kindOf, matters, titleOf } from './schema';
import './schema.css';

export interface SchemaFieldsProps {
  schema: FieldSchema;
  value: FormValues;
  onChange: (value: FormValues) => void;
  /** What is wrong, by pointer below this object. */
  errors?: FormErrors | undefined;
  /** What the node said of a field, by pointer below this object. */
  said?: ((pointer: string) => string | undefined) | undefined;
  pointer?: string;
  depth?: number;
  /** Focus into the first field. */
  autoFocus?: boolean;
}

/** The fields of an object, as its schema says: first what matters, the rest folded. */
export function SchemaFields(props: SchemaFieldsProps) {
  const { schema, value, errors, said, pointer = '', depth = 0 } = props;
  const { t } = useT();
  const [open, setOpen] = useState(false);
  const values = jsonOf(schema, value, {}, depth);
  const shown = fieldsOf(schema).filter(([name]) => matters(schema, name, values));
  const plain = shown.filter(([, field]) => !field['x-advanced'] && !field['x-trust']);
  const more = shown.filter(([, field]) => field['x-advanced'] || field['x-trust']);
  const wrong = (name: string) => {
    const at = `${pointer}/${name}`;
    const below = [...(errors?.keys() ?? [])].some((key) => key === at || key.startsWith(`${at}/`));
    return below || said?.(at) !== undefined;
  };
  // What has to be corrected is never out of sight.
  const unfolded = open || plain.length === 0 || more.some(([name]) => wrong(name));
  return (
    <>
      <div className="grid-fields">
        {plain.map(([name, field], index) => (
          <OneField key={name} {...props} name={name} field={field} first={index === 0} />
        ))}
      </div>
      {more.length > 0 && plain.length > 0 ? (
        <Button
          kind="quiet"
          className="schema-more"
          icon={unfolded ? 'up' : 'down'}
          label={t('schema.advanced', { count: more.length })}
          aria-expanded={unfolded}
          onClick={() => setOpen(!open)}
        />
      ) : null}
      {unfolded && more.length > 0 ? (
        <div className="grid-fields">
          {more.map(([name, field]) => (
            <OneField key={name} {...props} name={name} field={field} first={false} />
          ))}
        </div>
      ) : null}
    </>
  );
}

interface OneFieldProps extends SchemaFieldsProps {
  name: string;
  field: FieldSchema;
  first: boolean;
}

function OneField(props: OneFieldProps) {
  const { schema, value, onChange, errors, said, pointer = '', depth = 0, autoFocus, name, field, first } = props;
  const { t, language } = useT();
  const at = `${pointer}/${name}`;
  const set = (next: FormValue) => onChange({ ...value, [name]: next });
  const error = errors?.get(at);
  const message = error ? t(error.key, error.values) : said?.(at);
  const title = titleOf(name, field, language);
  const hint = descriptionOf(field, language);
  const kind = kindOf(field, depth);
  if (kind === 'group') {
    return (
      <Group title={title} hint={hint} error={message}>
        <SchemaFields
          schema={field}
          value={(value[name] ?? {}) as FormValues}
          onChange={set}
          errors={errors}
          said={said}
          pointer={at}
          depth={depth + 1}
        />
      </Group>
    );
  }
  if (kind === 'rows') {
    return (
      <Rows
        {...{ field, title, hint, errors, said, at, depth, message }}
        rows={(Array.isArray(value[name]) ? value[name] : []) as FormValues[]}
        onChange={set}
      />
    );
  }
  return (
    <FieldInput
      field={field}
      kind={kind}
      label={title}
      hint={hint}
      error={message}
      required={isRequired(schema, name)}
      value={value[name]}
      onChange={set}
      autoFocus={Boolean(autoFocus) && first}
    />
  );
}

function Group({
  title,
  hint,
  error,
  children,
}: {
  title: string;
  hint: string | undefined;
  error: string | undefined;
  children: ReactNode;
}) {
  return (
    <fieldset className="schema-group">
      <legend>{title}</legend>
      {hint ? <p className="field-hint">{hint}</p> : null}
      {children}
      {error ? <p className="field-error">{error}</p> : null}
    </fieldset>
  );
}

interface RowsProps {
  field: FieldSchema;
  title: string;
  hint: string | undefined;
  rows: FormValues[];
  onChange: (rows: FormValues[]) => void;
  errors: FormErrors | undefined;
  said: ((pointer: string) => string | undefined) | undefined;
  at: string;
  depth: number;
  message: string | undefined;
}

/** A list of objects: queries, cameras, units. */
function Rows({ field, title, hint, rows, onChange, errors, said, at, depth, message }: RowsProps) {
  const { t } = useT();
  return (
    <Group title={title} hint={hint} error={message}>
      {rows.map((row, index) => (
        <div key={index} className="schema-row">
          <SchemaFields
            schema={field.items ?? {}}
            value={row}
            onChange={(next) => onChange(rows.map((one, place) => (place === index ? next : one)))}
            errors={errors}
            said={said}
            pointer={`${at}/${index}`}
            depth={depth + 1}
          />
          <Button
            kind="quiet"
            icon="trash"
            iconOnly
            label={t('schema.removeRow', { title, number: index + 1 })}
            onClick={() => onChange(rows.filter((_row, place) => place !== index))}
          />
        </div>
      ))}
      <Button
        icon="plus"
        label={t('schema.addRow')}
        disabled={rows.length >= (field.maxItems ?? Infinity)}
        onClick={() => onChange([...rows, emptyRow(field, depth)])}
      />
    </Group>
  );
}
