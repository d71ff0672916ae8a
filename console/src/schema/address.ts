// Addresses and endpoints on one line, for any protocol.
import type { FieldSchema, ProtocolSchema } from '../api/protocols';
import type { Json, JsonObject } from '../api/types';
import { formOf, jsonOf } from './form';
import { choiceTitle, fieldsOf, isRequired, kindOf, titleOf } from './schema';

/** Most characters of an address in a table. */
const LENGTH_MAX = 160;

/** An address for people: `Holding register · 0 · f32`, `ns=2;s=Level`. */
export function addressText(
  address: JsonObject | undefined,
  schema: FieldSchema | undefined,
  language: string,
): string {
  if (!address) return '';
  const known = schema ? fieldsOf(schema) : [];
  const parts = known.map(([name, field]) => part(name, field, address[name], schema!, language));
  const rest = Object.entries(address)
    .filter(([name, value]) => !known.some(([one]) => one === name) && value !== null)
    .map(([name, value]) => (schema ? `${name} ${plain(value)}` : plain(value)));
  const text = [...parts, ...rest].filter(Boolean).join(' · ');
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX - 1)}…` : text;
}

function part(
  name: string,
  field: FieldSchema,
  value: Json | undefined,
  object: FieldSchema,
  language: string,
): string {
  if (value === undefined || value === null || value === '') return '';
  if (field.enum) return choiceTitle(field, value, language);
  if (isRequired(object, name)) return plain(value);
  // What is as usual needs no words.
  const usual = kindOf(field) === 'group' ? jsonOf(field, formOf(field)) : field.default;
  if (value === false || JSON.stringify(value) === JSON.stringify(usual)) return '';
  const title = titleOf(name, field, language);
  return value === true ? title : `${title} ${plain(value)}`;
}

function plain(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Names of settings that say where a device is, the more telling first. */
const PLACES = ['url', 'endpoint', 'host', 'broker', 'server', 'path', 'folder', 'file'];

/** Where a device is reached: `opc.tcp://press:4840`, `10.0.0.7:502`. */
export function endpointText(settings: JsonObject, schema?: ProtocolSchema): string {
  const fields = schema?.settings.properties ?? {};
  // A choice, such as between our own broker and another one, is no place.
  const says = (name: string) => typeof settings[name] === 'string' && settings[name] !== '' && !fields[name]?.enum;
  const place = PLACES.find(says);
  if (!place)
    return (schema?.settings.required ?? [])
      .filter(says)
      .map((name) => String(settings[name]))
      .join('/');
  const port = settings['port'] ?? schema?.settings.properties?.['port']?.default;
  const text = String(settings[place]);
  if (typeof port !== 'number' || /^[\w.+-]+:\/\//.test(text)) return text;
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`;
}
