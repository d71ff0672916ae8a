// A device as it is typed, and the request it becomes.
import type { ProtocolSchema } from '../api/protocols';
import type { Device, DeviceDraft, Grade, Names, PointDraft } from '../api/types';
import { pointOf, pointText, type PointText } from '../points/points';
import { formOf, jsonOf, withoutSecrets, type FormValues } from '../schema/form';
import { endpointText } from '../schema/address';
import { trustField, withTrusted } from '../schema/schema';
import { namesOf, pairOf, type NamePair } from '../ui/NameFields';

export interface DeviceText {
  protocol: string;
  pair: NamePair;
  id: string;
  asset: string;
  grade: Grade | '';
  enabled: boolean;
  settings: FormValues;
  points: PointText[];
  nextKey: number;
  /** The template that it was made of. */
  template?: string;
  /** Whether the names of its points are relative, and get the device's in front. */
  prefixed?: boolean;
}

/** The form of a device, or of a new one of the protocol. */
export function deviceText(protocol: string, schema: ProtocolSchema, device?: Device): DeviceText {
  const points = (device?.points ?? []).map((tag, index) => pointText(tag, index, schema.address));
  return {
    protocol,
    pair: device ? pairOf(device) : { zh: '', en: '' },
    id: '',
    asset: device?.asset ?? '',
    grade: device?.own_grade ?? '',
    enabled: device?.enabled ?? true,
    settings: formOf(schema.settings, device?.settings),
    points,
    nextKey: points.length,
  };
}

/** The request. A test needs no name yet: the place stands for it. */
export function deviceDraft(
  text: DeviceText,
  schema: ProtocolSchema,
  before: Device | undefined,
  now: Date,
): DeviceDraft {
  const named = namesOf(text.pair, before);
  const settings = jsonOf(schema.settings, text.settings, before?.settings);
  return {
    ...(!before && text.id.trim() ? { id: text.id.trim() } : {}),
    name: named.name || endpointText(settings, schema) || schema.title,
    names: named.names,
    protocol: text.protocol,
    asset: text.asset || null,
    settings,
    enabled: text.enabled,
    grade: text.grade || null,
    points: text.points.map((point) => {
      const whole = pointOf(point, schema.address, now);
      return text.prefixed ? prefixed(whole, text.pair, named.name) : whole;
    }),
  };
}

/** The point with the device's name in front of its own, in each language that has both. */
function prefixed(point: PointDraft, { zh, en }: NamePair, plain: string): PointDraft {
  const before = (code: string) => (/^zh/i.test(code) ? zh : en).trim() || plain;
  const join = (front: string, name: string) => `${front} ${name}`.trim();
  const names = Object.entries(point.names).map(([code, name]) => [code, join(before(code), name)]);
  return { ...point, name: join(plain, point.name), names: Object.fromEntries(names) as Names };
}

/** The settings with one more certificate trusted. */
export function trusting(settings: FormValues, schema: ProtocolSchema, thumbprint: string): FormValues {
  const name = trustField(schema.settings);
  if (!name) return settings;
  const trusted = Array.isArray(settings[name]) ? (settings[name] as string[]) : [];
  return { ...settings, [name]: withTrusted(schema.settings, trusted, thumbprint) };
}

/** What a reload brings back: all but the secrets. */
export function keptText(text: DeviceText, schema: ProtocolSchema | undefined): DeviceText {
  return schema ? { ...text, settings: withoutSecrets(schema.settings, text.settings) } : text;
}

/** A name in the reader's language, for whoever is in a hurry. */
export function suggestedName(schema: ProtocolSchema, title: string, settings: FormValues): string {
  const place = endpointText(jsonOf(schema.settings, settings), schema)
    .replace(/^[\w.+-]+:\/\//, '')
    .replace(/[:/].*$/, '');
  return `${title} ${place}`.trim();
}
