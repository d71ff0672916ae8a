// Reading what a driver says of its settings and addresses.
import type { FieldSchema, Texts } from '../api/protocols';
import type { Json, JsonObject } from '../api/types';

export type FieldKind =
  | 'text'
  | 'multiline'
  | 'secret'
  | 'integer'
  | 'number'
  | 'either'
  | 'truth'
  | 'choice'
  | 'choices'
  | 'texts'
  | 'trusted'
  | 'group'
  | 'rows'
  | 'json';

/** Deepest nesting drawn as fields; what lies below is edited as JSON. */
const DEPTH_MAX = 3;

/** The text in the reader's language, else in English, else any. */
export function textIn(texts: Texts | undefined, language: string): string | undefined {
  if (!texts) return undefined;
  const base = language.split('-')[0]!.toLowerCase();
  const near = Object.keys(texts).find((tag) => tag.split('-')[0]!.toLowerCase() === base);
  return texts[language] ?? (near ? texts[near] : undefined) ?? texts['en'] ?? Object.values(texts)[0];
}

export function titleOf(name: string, field: FieldSchema, language: string): string {
  return textIn(field['x-title'], language) ?? field.title ?? name;
}

export function descriptionOf(field: FieldSchema, language: string): string | undefined {
  return textIn(field['x-description'], language) ?? field.description;
}

/** What a choice is called; a choice without a title is called what it is. */
export function choiceTitle(field: FieldSchema, choice: Json, language: string): string {
  return textIn(field['x-enum-title']?.[String(choice)], language) ?? String(choice ?? '');
}

/** Whether the field takes a number or a text. */
function isEither(field: FieldSchema): boolean {
  const types = Array.isArray(field.type) ? field.type.filter((type) => type !== 'null') : [];
  return types.length > 1 && types.every((type) => ['string', 'integer', 'number'].includes(type));
}

/** The field's type besides `null`. */
function typeOf(field: FieldSchema): string | undefined {
  const types = typeof field.type === 'string' ? [field.type] : (field.type ?? []);
  const some = types.filter((type) => type !== 'null');
  return some.length === 1 ? some[0] : undefined;
}

/** Whether the field may be null, which is the same as left out. */
export function isNullable(field: FieldSchema): boolean {
  return (Array.isArray(field.type) && field.type.includes('null')) || (field.enum?.includes(null) ?? false);
}

export function kindOf(field: FieldSchema, depth = 0): FieldKind {
  if (field.enum) return 'choice';
  if (isEither(field)) return 'either';
  switch (typeOf(field)) {
    case 'boolean':
      return 'truth';
    case 'integer':
      return 'integer';
    case 'number':
      return 'number';
    case 'string':
      return field['x-secret'] ? 'secret' : field['x-multiline'] ? 'multiline' : 'text';
    case 'array':
      if (field['x-trust']) return 'trusted';
      if (field.items?.enum) return 'choices';
      if (field.items && typeOf(field.items) === 'string') return 'texts';
      return field.items?.properties && depth < DEPTH_MAX ? 'rows' : 'json';
    case 'object':
      return field.properties && depth < DEPTH_MAX ? 'group' : 'json';
    default:
      return 'json';
  }
}

/** The fields of an object in the order of the form. */
export function fieldsOf(object: FieldSchema): [name: string, field: FieldSchema][] {
  const properties = object.properties ?? {};
  const order = object['x-order'] ?? [];
  const place = (name: string) => {
    const at = order.indexOf(name);
    return at < 0 ? order.length : at;
  };
  return Object.entries(properties).sort(([a], [b]) => place(a) - place(b));
}

export function isRequired(object: FieldSchema, name: string): boolean {
  return object.required?.includes(name) ?? false;
}

/** Whether nothing may be chosen in a choice: it has to be offered then. */
export function mayBeEmpty(field: FieldSchema, required: boolean): boolean {
  return isNullable(field) || (!required && field.default === undefined);
}

/**
 * Whether a field matters for what the others hold: each field that it depends on matters itself,
 * and has one of the choices named.
 */
export function matters(object: FieldSchema, name: string, values: JsonObject, depth = 0): boolean {
  const when = object.properties?.[name]?.['x-when'];
  if (!when || depth > DEPTH_MAX) return true;
  return Object.entries(when).every(([other, choices]) => {
    const value = values[other] ?? object.properties?.[other]?.default ?? null;
    const one = choices.some((choice) => choice === value || String(choice) === String(value));
    return one && matters(object, other, values, depth + 1);
  });
}

/** The name of the field that lists the thumbprints of trusted certificates, where there is one. */
export function trustField(settings: FieldSchema): string | undefined {
  return fieldsOf(settings).find(([, field]) => field['x-trust'])?.[0];
}

/** What a list of thumbprints becomes when one more is trusted; the oldest makes way when it is full. */
export function withTrusted(settings: FieldSchema, trusted: readonly string[], thumbprint: string): string[] {
  const name = trustField(settings);
  const most = (name && settings.properties?.[name]?.maxItems) || trusted.length + 1;
  return [...trusted.filter((one) => one !== thumbprint), thumbprint].slice(-most);
}

/** A thumbprint in groups of four, to compare by eye. */
export function grouped(thumbprint: string): string {
  return thumbprint.match(/.{1,4}/g)?.join(' ') ?? '';
}
