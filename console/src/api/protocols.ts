// What the node says of a protocol: the JSON Schemas that forms are made of.
import type { Json, JsonObject } from './types';

/** Texts by language tag, such as `en` and `zh-CN`. */
export type Texts = Record<string, string>;

/** A field: a JSON Schema with what forms need beside it. */
export interface FieldSchema {
  type?: string | string[];
  enum?: Json[];
  const?: Json;
  default?: Json;
  title?: string;
  description?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  items?: FieldSchema;
  properties?: Record<string, FieldSchema>;
  required?: string[];
  'x-title'?: Texts;
  'x-description'?: Texts;
  'x-enum-title'?: Record<string, Texts>;
  'x-secret'?: boolean;
  'x-advanced'?: boolean;
  'x-multiline'?: boolean;
  'x-trust'?: boolean;
  /** Whether it is one device's own rather than of its type. */
  'x-own'?: boolean;
  'x-when'?: Record<string, Json[]>;
  'x-order'?: string[];
}

export interface ProtocolSchema {
  title: string;
  'x-title'?: Texts;
  description?: string;
  'x-description'?: Texts;
  settings: FieldSchema;
  address: FieldSchema;
  abilities: Abilities;
}

/** What a protocol can do besides reading. */
export interface Abilities {
  /** Whether what stands at an address can be asked how to speak to it. */
  discover: boolean;
  browse: boolean;
  write: boolean;
  call: boolean;
}

export interface Protocol {
  protocol: string;
  schema: ProtocolSchema;
}

/** A secret that the node keeps and does not show. */
export const KEPT_SECRET: JsonObject = { secret: 'set' };

export function isKeptSecret(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && (value as JsonObject)['secret'] === 'set';
}
