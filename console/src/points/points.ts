// Points as they are typed, and as the API takes them.
import type { FieldSchema } from '../api/protocols';
import type {
  BrowseItem,
  DataType,
  Grade,
  JsonObject,
  Names,
  Point,
  PointDraft,
  Scaling,
  Tag,
} from '../api/types';
import type { Key } from '../i18n/i18n';
import { errorsOf, formOf, jsonOf, type FormErrors, type FormValues } from '../schema/form';

/** One row of the table: texts as typed, so that nothing is lost on the way. */
export interface PointText {
  /** Tells rows apart while they are edited. */
  key: number;
  /** The tag's identifier, once it exists. */
  id: string;
  name: string;
  nameZh: string;
  nameEn: string;
  address: FormValues;
  /** The address as it came from the device or the node. */
  given: JsonObject | null;
  /** Empty: as the address says. */
  dataType: DataType | '';
  unit: string;
  factor: string;
  offset: string;
  low: string;
  high: string;
  poll: string;
  asset: string;
  grade: Grade | '';
  writable: boolean;
  writeMin: string;
  writeMax: string;
  /** The tag as it is, for what the form does not show. */
  tag: Pick<Tag, 'data_type' | 'description' | 'domain' | 'interpolation' | 'labels' | 'names'> | null;
  /** What a template says of a point that does not exist yet, and the form does not show. */
  more?: Pick<Tag, 'description' | 'domain' | 'interpolation' | 'labels'>;
  /** The scaling the point had, kept so that a change adds to its history. */
  scaling: Scaling[];
}

/** Most points of one device in the console; more are better split over devices, or imported. */
export const POINTS_MAX = 4_000;

export function emptyPoint(key: number, schema: FieldSchema): PointText {
  return {
    key,
    id: '',
    name: '',
    nameZh: '',
    nameEn: '',
    address: formOf(schema),
    given: null,
    dataType: '',
    unit: '',
    factor: '1',
    offset: '0',
    low: '',
    high: '',
    poll: '',
    asset: '',
    grade: '',
    writable: false,
    writeMin: '',
    writeMax: '',
    tag: null,
    scaling: [],
  };
}

/** A point out of what the device offers; `name` may say more than the item's own. */
export function pickedPoint(item: BrowseItem, name: string, key: number, schema: FieldSchema): PointText {
  const address = item.address ?? {};
  return {
    ...emptyPoint(key, schema),
    name: name.trim(),
    address: formOf(schema, address),
    given: address,
    dataType: item.data_type ?? '',
    unit: unitOf(item.unit),
  };
}

/** Longest unit in bytes of UTF-8. */
const UNIT_BYTES_MAX = 64;

/** The unit in the device's words, where the node would take it as one; what cannot be one is left for a person to name. */
function unitOf(text: string | null): string {
  const unit = text?.trim() ?? '';
  const inner = /^\{(.*)\}$/su.exec(unit)?.[1] ?? unit;
  const fits = !/[\p{Cc}{}]/u.test(inner) && new TextEncoder().encode(inner).length <= UNIT_BYTES_MAX;
  // UCUM's own annotations have brackets too.
  const isCode = /^[\x21-\x7e]{1,64}$/.test(unit);
  return fits || isCode ? unit : '';
}

const text = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : String(value);

export function pointText(tag: Point, key: number, schema: FieldSchema): PointText {
  const newest = tag.scaling.at(-1);
  const find = (language: string) =>
    Object.entries(tag.names).find(([code]) => code.toLowerCase().startsWith(language))?.[1] ?? '';
  const { address, data_type, description, domain, interpolation = null, labels, names } = tag;
  return {
    key,
    id: tag.id,
    name: tag.name,
    nameZh: find('zh'),
    nameEn: find('en'),
    address: formOf(schema, address),
    given: address,
    dataType: data_type,
    unit: tag.unit ?? '',
    factor: text(newest?.factor ?? 1),
    offset: text(newest?.offset ?? 0),
    low: text(tag.range?.low),
    high: text(tag.range?.high),
    poll: text(tag.poll_ms),
    asset: tag.asset ?? '',
    grade: tag.own_grade ?? '',
    writable: Boolean(tag.write),
    writeMin: text(tag.write?.min),
    writeMax: text(tag.write?.max),
    tag: { data_type, description, domain, interpolation, labels, names },
    scaling: tag.scaling,
  };
}

/** The address as the API takes it; one that nobody changed stays as it came. */
export function addressOf(point: PointText, schema: FieldSchema): JsonObject {
  const given = point.given ?? {};
  const now = jsonOf(schema, point.address, given);
  const before = jsonOf(schema, formOf(schema, given), given);
  return point.given && JSON.stringify(now) === JSON.stringify(before) ? point.given : now;
}

/** A copy for another place: no identifier yet, a name that counts on. */
export function duplicated(point: PointText, key: number): PointText {
  return {
    ...point,
    key,
    id: '',
    tag: null,
    scaling: [],
    name: countedOn(point.name),
    nameZh: countedOn(point.nameZh),
    nameEn: countedOn(point.nameEn),
  };
}

function countedOn(name: string): string {
  return name.replace(
    /(\d+)(\D*)$/,
    (_all, digits: string, rest: string) => String(Number(digits) + 1).padStart(digits.length, '0') + rest,
  );
}

export type PointField = Exclude<keyof PointText, 'key' | 'id' | 'tag' | 'more' | 'scaling' | 'given' | 'address'>;
export interface PointErrors {
  fields: Partial<Record<PointField, Key>>;
  address: FormErrors;
}

export function hasErrors(errors: PointErrors): boolean {
  return errors.address.size > 0 || Object.keys(errors.fields).length > 0;
}

function numberOf(value: string): number | null {
  const trimmed = value.trim();
  return trimmed === '' ? null : Number(trimmed);
}

/** Longest name in bytes of UTF-8, as the node counts them. */
const NAME_BYTES_MAX = 256;

/** Whether the node takes it as a name. */
function isName(name: string): boolean {
  const unfit = /[\p{Cc}\u202A-\u202E\u2066-\u2069\p{Cs}]/u;
  return !unfit.test(name) && new TextEncoder().encode(name).length <= NAME_BYTES_MAX;
}

/** Milliseconds between two readings. */
export const POLL_MS_MIN = 10;
const POLL_MS_MAX = 86_400_000;

/** What is wrong with a row; empty when nothing is. */
export function pointErrors(point: PointText, schema: FieldSchema): PointErrors {
  const fields: PointErrors['fields'] = {};
  const finite = (field: PointField) => {
    const value = numberOf(String(point[field]));
    if (value !== null && !Number.isFinite(value)) fields[field] = 'field.notANumber';
    return value;
  };
  if (point.name.trim() === '') fields.name = 'points.noName';
  else if (!isName(point.name.trim())) fields.name = 'points.nameUnfit';
  const poll = numberOf(point.poll);
  if (poll !== null && !(Number.isInteger(poll) && poll >= POLL_MS_MIN && poll <= POLL_MS_MAX))
    fields.poll = 'points.pollWrong';
  const factor = finite('factor');
  if (factor === null || factor === 0) fields.factor = 'points.factorWrong';
  const offset = finite('offset');
  // A tag keeps its data type for good; a broken scaling would be rounded away.
  const isWhole = point.tag !== null && /^[iu]64$/.test(point.tag.data_type);
  if (isWhole && !(Number.isInteger(factor) && Number.isInteger(offset ?? 0)))
    fields.factor ??= 'points.integerTag';
  const low = finite('low');
  const high = finite('high');
  if ((low === null) !== (high === null) || (low !== null && high !== null && high <= low))
    fields.high ??= 'field.rangeWrong';
  const min = finite('writeMin');
  const max = finite('writeMax');
  if (min !== null && max !== null && max < min) fields.writeMax ??= 'field.rangeWrong';
  return { fields, address: errorsOf(schema, point.address) };
}

/** What is wrong with each row that is, by key; names have to differ within a device. */
export function pointsErrors(points: readonly PointText[], schema: FieldSchema): Map<number, PointErrors> {
  const wrong = new Map<number, PointErrors>();
  const names = new Set<string>();
  for (const point of points) {
    const errors = pointErrors(point, schema);
    const name = point.name.trim().toLowerCase();
    if (name && names.has(name)) errors.fields.name = 'points.nameTwice';
    names.add(name);
    if (hasErrors(errors)) wrong.set(point.key, errors);
  }
  return wrong;
}

/** Fields of addresses that say what stands there, in whatever protocol. */
const TYPE_FIELDS = ['data_type', 'datatype', 'type', 'kind'];

/** Words for types, as PLCs, drivers and databases write them. */
const TYPE_WORDS: readonly [RegExp, DataType][] = [
  [/^(bool(ean)?|bit|x)$/i, 'bool'],
  [/^(u(int|long|short)?\d*|u[sdl]?int|byte|d?word|lword|b|w|d)$/i, 'u64'],
  [/^(i\d+|[sdl]?int\d*|short|long|bigint|smallint|(s5)?time|bcd)$/i, 'i64'],
  [/^(f\d+|float\d*|double|l?real|number|numeric|decimal)$/i, 'f64'],
  [/^(w?string|text|w?char|json|date|dtl|date_and_time|time_of_day|s)$/i, 'text'],
];

/** What the address says of its values; floating point where it says nothing. */
export function addressType(address: JsonObject): DataType {
  for (const field of TYPE_FIELDS) {
    const word = address[field];
    if (typeof word !== 'string') continue;
    const known = TYPE_WORDS.find(([pattern]) => pattern.test(word));
    if (known) return known[1];
  }
  return 'f64';
}

/** What the tag's values will be. */
export function dataTypeOf(point: PointText, schema: FieldSchema): DataType {
  if (point.tag) return point.tag.data_type;
  const type = point.dataType || addressType(addressOf(point, schema));
  const scaled = (numberOf(point.factor) ?? 1) !== 1 || (numberOf(point.offset) ?? 0) !== 0;
  return scaled && (type === 'i64' || type === 'u64') ? 'f64' : type;
}

/** The row as the API takes it. `now` dates a changed scaling. */
export function pointOf(point: PointText, schema: FieldSchema, now: Date): PointDraft {
  const zh = point.nameZh.trim();
  const en = point.nameEn.trim();
  const kept = Object.entries(point.tag?.names ?? {}).filter(([code]) => !/^(zh|en)/i.test(code));
  const names: Names = { ...Object.fromEntries(kept), ...(zh ? { 'zh-CN': zh } : {}), ...(en ? { en } : {}) };
  const low = numberOf(point.low);
  const high = numberOf(point.high);
  const type = dataTypeOf(point, schema);
  return {
    ...(point.id ? { id: point.id } : {}),
    name: point.name.trim(),
    names,
    description: (point.tag ?? point.more)?.description ?? '',
    unit: point.unit.trim() || null,
    data_type: type,
    address: addressOf(point, schema),
    scaling: isScalable(type)
      ? scalingOf(point.scaling, numberOf(point.factor) ?? 1, numberOf(point.offset) ?? 0, now)
      : [],
    poll_ms: numberOf(point.poll),
    write: point.writable
      ? { min: numberOf(point.writeMin), max: numberOf(point.writeMax), confirm: true }
      : null,
    asset: point.asset || null,
    grade: point.grade || null,
    domain: (point.tag ?? point.more)?.domain ?? null,
    range: low === null || high === null ? null : { low, high },
    labels: (point.tag ?? point.more)?.labels ?? {},
    interpolation: (point.tag ?? point.more)?.interpolation ?? null,
  };
}

/** Whether values of the type can be multiplied. */
export function isScalable(type: DataType): boolean {
  return type === 'f64' || type === 'i64' || type === 'u64';
}

function scalingOf(before: readonly Scaling[], factor: number, offset: number, now: Date): Scaling[] {
  const newest = before.at(-1);
  if (newest ? newest.factor === factor && newest.offset === offset : factor === 1 && offset === 0)
    return [...before];
  // The first scaling holds for all that was ever read; a later one from now on.
  const effective = newest ? now.toISOString() : '1970-01-01T00:00:00Z';
  return [...before, { effective, factor, offset }];
}

/** UCUM codes that come up most, offered while typing. */
export const UNITS_OFFERED = [
  'Cel',
  'K',
  'kPa',
  'MPa',
  'bar',
  'kPa{gauge}',
  'm3/h',
  'kg/h',
  't/h',
  'L/min',
  '%',
  '%{mol}',
  '%{open}',
  'kW',
  'kW.h',
  'V',
  'A',
  'Hz',
  '{rpm}',
  'mm/s',
  'm',
  'mm',
  's',
];
