// The device form's state, and the request it becomes.
import type { Device, DeviceDraft, Grade, ModbusSettings, WordOrder } from '../../api/types';
import type { Key } from '../../i18n/i18n';
import { namesOf, pairOf, type NamePair } from '../../ui/NameFields';
import { emptyPoint, pointErrors, pointOf, pointText, type PointErrors, type PointText } from './points';

export interface DeviceText {
  pair: NamePair;
  id: string;
  asset: string;
  grade: Grade | '';
  enabled: boolean;
  host: string;
  port: string;
  unit: string;
  timeout: string;
  poll: string;
  gap: string;
  wordOrder: WordOrder;
  points: PointText[];
  nextKey: number;
}

const DEFAULTS: ModbusSettings = {
  host: '',
  port: 502,
  unit: 1,
  timeout_ms: 1000,
  poll_ms: 1000,
  gap_registers: 8,
  word_order: 'ABCD',
};

export function deviceText(device?: Device): DeviceText {
  const settings: ModbusSettings = { ...DEFAULTS, ...device?.settings };
  const points = device?.points?.map(pointText) ?? [emptyPoint(0)];
  return {
    pair: device ? pairOf(device) : { zh: '', en: '' },
    id: '',
    asset: device?.asset ?? '',
    grade: device?.own_grade ?? '',
    enabled: device?.enabled ?? true,
    host: settings.host,
    port: String(settings.port),
    unit: String(settings.unit),
    timeout: String(settings.timeout_ms),
    poll: String(settings.poll_ms),
    gap: String(settings.gap_registers),
    wordOrder: settings.word_order,
    points,
    nextKey: points.length,
  };
}

/** The bounds the form checks before it asks the node. */
const BOUNDS = {
  port: [1, 65_535],
  unit: [0, 255],
  timeout: [10, 60_000],
  poll: [10, 86_400_000],
  gap: [0, 124],
} as const;
type Bounded = keyof typeof BOUNDS;

export interface DeviceErrors {
  fields: Partial<Record<'name' | 'host' | Bounded, { key: Key; values?: Record<string, number> }>>;
  points: Map<number, PointErrors>;
  count: number;
}

/** `forTest`: a test needs no name yet. */
export function deviceErrors(device: DeviceText, forTest: boolean): DeviceErrors {
  const fields: DeviceErrors['fields'] = {};
  if (!forTest && !device.pair.zh.trim() && !device.pair.en.trim()) fields.name = { key: 'field.required' };
  if (device.host.trim() === '') fields.host = { key: 'field.required' };
  for (const name of Object.keys(BOUNDS) as Bounded[]) {
    const [min, max] = BOUNDS[name];
    const value = Number(device[name]);
    if (device[name].trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      fields[name] = { key: 'field.bounds', values: { min, max } };
    }
  }
  const points = new Map<number, PointErrors>();
  const names = new Map<string, number>();
  for (const point of device.points) {
    const errors = pointErrors(point);
    const name = point.name.trim().toLowerCase();
    if (name && names.has(name)) errors.name = 'points.nameTwice';
    names.set(name, point.key);
    if (Object.keys(errors).length > 0) points.set(point.key, errors);
  }
  return { fields, points, count: Object.keys(fields).length + points.size };
}

export function deviceDraft(device: DeviceText, before: Device | undefined, now: Date): DeviceDraft {
  const named = namesOf(device.pair, before);
  return {
    ...(!before && device.id.trim() ? { id: device.id.trim() } : {}),
    name: named.name || device.host.trim(),
    names: named.names,
    protocol: 'modbus',
    asset: device.asset || null,
    settings: {
      ...before?.settings,
      host: device.host.trim(),
      port: Number(device.port),
      unit: Number(device.unit),
      timeout_ms: Number(device.timeout),
      poll_ms: Number(device.poll),
      gap_registers: Number(device.gap),
      word_order: device.wordOrder,
    },
    enabled: device.enabled,
    grade: device.grade || null,
    points: device.points.map((point) => pointOf(point, now)),
  };
}
