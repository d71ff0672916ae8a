// What is typed into a form made of a schema, and the JSON that it becomes.
import { isKeptSecret, type FieldSchema } from '../api/protocols';
import type { Json, JsonObject } from '../api/types';
import type { Key } from '../i18n/i18n';
import { fieldsOf, isRequired, kindOf, matters, mayBeEmpty } from './schema';

/** A field as typed: nothing that was typed is lost because it is not valid yet. */
export type FormValue = string | boolean | string[] | JsonObject | FormValues | FormValues[];
export interface FormValues {
  [field: string]: FormValue;
}

export interface FormError {
  key: Key;
  values?: Record<string, string | number>;
}
/** What is wrong, by JSON pointer into the object. */
export type FormErrors = ReadonlyMap<string, FormError>;

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** The form of an object, with the schema's defaults where it has nothing. */
export function formOf(object: FieldSchema, json: JsonObject = {}, depth = 0): FormValues {
  return Object.fromEntries(
    fieldsOf(object).map(([name, field]) => {
      // A field that is there and empty was emptied by intent.
      const value = name in json ? json[name] : field.default;
      return [name, formValue(field, value, isRequired(object, name), depth)];
    }),
  );
}

function formValue(
  field: FieldSchema,
  json: Json | undefined,
  required: boolean,
  depth: number,
): FormValue {
  const none = json === undefined || json === null;
  switch (kindOf(field, depth)) {
    case 'truth':
      return json === true;
    case 'choice':
      // The first one is what a select shows when something has to be chosen.
      if (none) return mayBeEmpty(field, required) ? '' : String(field.enum?.[0] ?? '');
      return String(json);
    case 'choices':
    case 'trusted':
      return Array.isArray(json) ? json.map(String) : [];
    case 'texts':
      return Array.isArray(json) ? json.map(String).join('\n') : '';
    case 'group':
      return formOf(field, isObject(json) ? json : {}, depth + 1);
    case 'rows':
      return (Array.isArray(json) ? json : []).map((row) =>
        formOf(field.items ?? {}, isObject(row) ? row : {}, depth + 1),
      );
    case 'json':
      return none ? '' : JSON.stringify(json, null, 2);
    case 'secret':
      return isKeptSecret(json) ? json : none ? '' : String(json);
    default:
      return none ? '' : String(json);
  }
}

/** An empty row of a list of objects. */
export function emptyRow(field: FieldSchema, depth: number): FormValues {
  return formOf(field.items ?? {}, {}, depth + 1);
}

/**
 * The object that the form stands for: without what is empty, and without what does not matter for
 * the choices made. What the schema does not know of `before` stays.
 */
export function jsonOf(
  object: FieldSchema,
  form: FormValues,
  before: JsonObject = {},
  depth = 0,
): JsonObject {
  const whole: JsonObject = {};
  for (const [name, field] of fieldsOf(object)) {
    const value = jsonValue(field, form[name], before[name], isRequired(object, name), depth);
    if (value !== undefined) whole[name] = value;
  }
  const unknown = Object.entries(before).filter(([name]) => !(name in (object.properties ?? {})));
  const known = Object.entries(whole).filter(([name]) => matters(object, name, whole));
  return Object.fromEntries([...known, ...unknown]);
}

function jsonValue(
  field: FieldSchema,
  value: FormValue | undefined,
  before: Json | undefined,
  required: boolean,
  depth: number,
): Json | undefined {
  // What was null stays null rather than to go away, so that nothing changes that nobody touched.
  const nothing = before === null ? null : undefined;
  switch (kindOf(field, depth)) {
    case 'truth':
      // Whoever gave no default knows best what leaving it out means.
      return value === true || field.default !== undefined || typeof before === 'boolean'
        ? value === true
        : nothing;
    case 'choice':
      if (value === '' || value === undefined) return nothing;
      return field.enum?.find((one) => one !== null && String(one) === value) ?? String(value);
    case 'choices': {
      const chosen = Array.isArray(value) ? value : [];
      return field.items?.enum?.filter((one) => (chosen as string[]).includes(String(one))) ?? [];
    }
    case 'trusted':
      return Array.isArray(value) ? (value as string[]) : [];
    case 'texts': {
      const lines = linesOf(value);
      return lines.length > 0 || before !== undefined || required ? lines : undefined;
    }
    case 'group': {
      const inner = jsonOf(field, (value ?? {}) as FormValues, isObject(before) ? before : {}, depth + 1);
      return Object.keys(inner).length > 0 || required ? inner : nothing;
    }
    case 'rows': {
      const rows = Array.isArray(value) ? (value as FormValues[]) : [];
      const list = rows.map((row) => jsonOf(field.items ?? {}, row, {}, depth + 1));
      return list.length > 0 || before !== undefined || required ? list : undefined;
    }
    case 'json':
      if (typeof value !== 'string' || value.trim() === '') return nothing;
      return parsed(value) ?? value;
    case 'secret':
      if (isKeptSecret(value)) return value;
      return typeof value === 'string' && value !== '' ? value : undefined;
    case 'integer':
    case 'number': {
      const text = typeof value === 'string' ? value.trim() : '';
      if (text === '') return nothing;
      const number = Number(text);
      // What is no number is sent as it is: the node says then what it expects.
      return Number.isFinite(number) ? number : text;
    }
    case 'either': {
      const text = typeof value === 'string' ? value.trim() : '';
      if (text === '') return nothing;
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    }
    default: {
      if (typeof value !== 'string' || value === '') return nothing;
      // A separator may be a blank.
      return value.trim() === '' || field['x-multiline'] ? value : value.trim();
    }
  }
}

function linesOf(value: FormValue | undefined): string[] {
  return typeof value === 'string'
    ? value
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter(Boolean)
    : [];
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** What is wrong with the form, before the node is asked. */
export function errorsOf(object: FieldSchema, form: FormValues): FormErrors {
  const errors = new Map<string, FormError>();
  check(object, form, '', 0, errors);
  return errors;
}

function check(
  object: FieldSchema,
  form: FormValues,
  pointer: string,
  depth: number,
  errors: Map<string, FormError>,
): void {
  const values = jsonOf(object, form, {}, depth);
  for (const [name, field] of fieldsOf(object)) {
    if (!matters(object, name, values)) continue;
    const at = `${pointer}/${name}`;
    const value = form[name];
    const kind = kindOf(field, depth);
    if (kind === 'group') {
      const inner = (value ?? {}) as FormValues;
      // A group that may be left out is checked once something stands in it.
      const empty = Object.keys(jsonOf(field, inner, {}, depth + 1)).length === 0;
      if (isRequired(object, name) || !empty) check(field, inner, at, depth + 1, errors);
      continue;
    }
    if (kind === 'rows') {
      const rows = Array.isArray(value) ? (value as FormValues[]) : [];
      rows.forEach((row, index) => check(field.items ?? {}, row, `${at}/${index}`, depth + 1, errors));
    }
    const error = fieldError(field, kind, value, values[name], isRequired(object, name));
    if (error) errors.set(at, error);
  }
}

function fieldError(
  field: FieldSchema,
  kind: ReturnType<typeof kindOf>,
  value: FormValue | undefined,
  json: Json | undefined,
  required: boolean,
): FormError | undefined {
  const empty =
    json === undefined || json === null || (Array.isArray(json) && json.length === 0 && field.minItems !== 0);
  const blank = kind === 'text' && String(json).trim() === '';
  if (empty || (required && blank)) return required ? { key: 'field.required' } : undefined;
  switch (kind) {
    case 'integer':
    case 'number':
      return numberError(field, kind === 'integer', json);
    case 'json':
      return typeof value === 'string' && parsed(value) === undefined ? { key: 'field.notJson' } : undefined;
    case 'texts':
    case 'choices':
    case 'rows': {
      const list = json as Json[];
      if (list.length > (field.maxItems ?? Infinity))
        return { key: 'field.tooMany', values: { max: field.maxItems! } };
      if (list.length < (field.minItems ?? 0)) return { key: 'field.required' };
      return kind === 'texts'
        ? list.map((text) => textError(field.items ?? {}, String(text))).find((error) => error !== undefined)
        : undefined;
    }
    case 'text':
    case 'multiline':
      return textError(field, String(json));
    case 'secret':
      return typeof json === 'string' ? textError(field, json) : undefined;
    default:
      return undefined;
  }
}

function numberError(field: FieldSchema, whole: boolean, json: Json): FormError | undefined {
  const min = field.minimum ?? field.exclusiveMinimum;
  const max = field.maximum ?? field.exclusiveMaximum;
  const number = typeof json === 'number' ? json : Number.NaN;
  const within =
    number >= (field.minimum ?? -Infinity) &&
    number <= (field.maximum ?? Infinity) &&
    number > (field.exclusiveMinimum ?? -Infinity) &&
    number < (field.exclusiveMaximum ?? Infinity);
  if (within && (!whole || Number.isInteger(number))) return undefined;
  if (min === undefined && max === undefined)
    return { key: whole ? 'field.notWhole' : 'field.notANumber' };
  const values = { min: min ?? '−∞', max: max ?? '∞' };
  return { key: whole ? 'field.bounds' : 'field.numberBounds', values };
}

function textError(field: FieldSchema, text: string): FormError | undefined {
  // Drivers count bytes.
  if (new TextEncoder().encode(text).length > (field.maxLength ?? Infinity))
    return { key: 'field.tooLong', values: { max: field.maxLength! } };
  if (field.pattern) {
    try {
      if (!new RegExp(field.pattern, 'u').test(text)) return { key: 'field.pattern' };
    } catch {
      // A pattern that this browser does not know is checked by the node.
    }
  }
  return undefined;
}

/** The form without secrets that were typed: what is kept over a reload holds none. */
export function withoutSecrets(object: FieldSchema, form: FormValues, depth = 0): FormValues {
  const kept: FormValues = { ...form };
  for (const [name, field] of fieldsOf(object)) {
    const value = form[name];
    const kind = kindOf(field, depth);
    if (kind === 'secret' && typeof value === 'string') kept[name] = '';
    if (kind === 'group' && value) kept[name] = withoutSecrets(field, value as FormValues, depth + 1);
    if (kind === 'rows' && Array.isArray(value))
      kept[name] = (value as FormValues[]).map((row) => withoutSecrets(field.items ?? {}, row, depth + 1));
  }
  return kept;
}

/** The merge patch (RFC 7396) that makes one object of the other: what is gone is null. */
export function mergePatch(before: JsonObject, after: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const [name, value] of Object.entries(after)) {
    const was = before[name];
    // A secret that stays is one value, not an object to merge into.
    patch[name] =
      isObject(value) && isObject(was) && !isKeptSecret(value) && !isKeptSecret(was)
        ? mergePatch(was, value)
        : value;
  }
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  return patch;
}
