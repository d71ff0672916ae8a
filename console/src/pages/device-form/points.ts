// Points as they are typed, and as the API takes them.
import {
  type DataType,
  type ModbusTable,
  type ModbusType,
  type Names,
  type PointDraft,
  type Scaling,
  type Tag,
  type WordOrder,
} from '../../api/types';
import type { Key } from '../../i18n/i18n';
import { ADDRESS_MAX, isBitTable, isWritable } from '../../format/modbus';

/** One row of the form: texts as typed, so that nothing is lost on the way. */
export interface PointText {
  /** Tells rows apart while they are edited. */
  key: number;
  /** The tag's identifier, once it exists. */
  id: string;
  name: string;
  nameZh: string;
  nameEn: string;
  table: ModbusTable;
  address: string;
  type: ModbusType;
  wordOrder: WordOrder | '';
  bit: string;
  unit: string;
  factor: string;
  offset: string;
  low: string;
  high: string;
  poll: string;
  unitId: string;
  asset: string;
  writable: boolean;
  writeMin: string;
  writeMax: string;
  /** The tag as it is, for what the form does not show. */
  tag: Pick<Tag, 'data_type' | 'description' | 'domain' | 'labels' | 'own_grade' | 'names'> | null;
  /** The scaling the point had, kept so that a change adds to its history. */
  scaling: Scaling[];
}

/** Most points of one device; more are better split over devices. */
export const POINTS_MAX = 2_000;

export function emptyPoint(key: number): PointText {
  return {
    key,
    id: '',
    name: '',
    nameZh: '',
    nameEn: '',
    table: 'holding',
    address: '',
    type: 'u16',
    wordOrder: '',
    bit: '',
    unit: '',
    factor: '1',
    offset: '0',
    low: '',
    high: '',
    poll: '',
    unitId: '',
    asset: '',
    writable: false,
    writeMin: '',
    writeMax: '',
    tag: null,
    scaling: [],
  };
}

const text = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : String(value);

export function pointText(tag: Tag, key: number): PointText {
  const { source } = tag;
  const newest = source?.scaling?.at(-1);
  const find = (language: string) =>
    Object.entries(tag.names).find(([code]) => code.toLowerCase().startsWith(language))?.[1] ?? '';
  const { data_type, description, domain, labels, own_grade, names } = tag;
  return {
    key,
    id: tag.id,
    name: tag.name,
    nameZh: find('zh'),
    nameEn: find('en'),
    table: source?.address.table ?? 'holding',
    address: text(source?.address.address),
    type: source?.address.type ?? 'u16',
    wordOrder: source?.address.word_order ?? '',
    bit: text(source?.address.bit),
    unit: tag.unit ?? '',
    factor: text(newest?.factor ?? 1),
    offset: text(newest?.offset ?? 0),
    low: text(tag.range?.low),
    high: text(tag.range?.high),
    poll: text(source?.poll_ms),
    unitId: text(source?.address.unit),
    asset: tag.asset ?? '',
    writable: Boolean(source?.write),
    writeMin: text(source?.write?.min),
    writeMax: text(source?.write?.max),
    tag: { data_type, description, domain, labels, own_grade, names },
    scaling: source?.scaling ?? [],
  };
}

/** A copy for another register: the next address, no identifier yet, a name that counts on. */
export function duplicated(point: PointText, key: number): PointText {
  const address = Number(point.address);
  return {
    ...point,
    key,
    id: '',
    tag: null,
    scaling: [],
    name: countedOn(point.name),
    nameZh: countedOn(point.nameZh),
    nameEn: countedOn(point.nameEn),
    address:
      point.address !== '' && Number.isInteger(address) ? String(address + width(point.type)) : point.address,
  };
}

/** How many registers (or bits) a value takes. */
export function width(type: ModbusType): number {
  return type.endsWith('64') ? 4 : type.endsWith('32') ? 2 : 1;
}

function countedOn(name: string): string {
  return name.replace(
    /(\d+)(\D*)$/,
    (_all, digits: string, rest: string) => String(Number(digits) + 1).padStart(digits.length, '0') + rest,
  );
}

export type PointField = Exclude<keyof PointText, 'key' | 'id' | 'tag' | 'scaling'>;
export type PointErrors = Partial<Record<PointField, Key>>;

function numberOf(value: string): number | null {
  const trimmed = value.trim();
  if (trimmed === '') return null;
  return Number(trimmed);
}

/** What is wrong with a row, by field; empty when nothing is. */
export function pointErrors(point: PointText): PointErrors {
  const errors: PointErrors = {};
  const whole = (value: number | null, min: number, max: number) =>
    value === null || (Number.isInteger(value) && value >= min && value <= max);
  const finite = (field: PointField) => {
    const value = numberOf(String(point[field]));
    if (value !== null && !Number.isFinite(value)) errors[field] = 'points.notANumber';
    return value;
  };
  if (point.name.trim() === '') errors.name = 'points.noName';
  const address = numberOf(point.address);
  if (address === null || !whole(address, 0, ADDRESS_MAX)) errors.address = 'points.addressWrong';
  else if (address + width(point.type) > ADDRESS_MAX + 1) errors.address = 'points.addressBeyond';
  if (isBitTable(point.table) && point.type !== 'bool') errors.type = 'points.typeWrong';
  if (!whole(numberOf(point.bit), 0, 15)) errors.bit = 'points.bitWrong';
  if (!whole(numberOf(point.unitId), 0, 255)) errors.unitId = 'points.unitWrong';
  if (!whole(numberOf(point.poll), 10, 86_400_000)) errors.poll = 'points.pollWrong';
  const factor = finite('factor');
  if (factor === null || factor === 0) errors.factor = 'points.factorWrong';
  const offset = finite('offset');
  // A tag keeps its data type for good; a broken scaling would be rounded away.
  const isWhole = point.tag !== null && /^[iu]64$/.test(point.tag.data_type);
  if (isWhole && !(Number.isInteger(factor) && Number.isInteger(offset ?? 0)))
    errors.factor ??= 'points.integerTag';
  const low = finite('low');
  const high = finite('high');
  if ((low === null) !== (high === null) || (low !== null && high !== null && high <= low))
    errors.high ??= 'field.rangeWrong';
  const min = finite('writeMin');
  const max = finite('writeMax');
  if (min !== null && max !== null && max < min) errors.writeMax ??= 'field.rangeWrong';
  return errors;
}

const DATA_TYPES: Record<ModbusType, DataType> = {
  bool: 'bool',
  u16: 'u64',
  i16: 'i64',
  u32: 'u64',
  i32: 'i64',
  u64: 'u64',
  i64: 'i64',
  f32: 'f64',
  f64: 'f64',
};

/** The row as the API takes it. `now` dates a changed scaling. */
export function pointOf(point: PointText, now: Date): PointDraft {
  const zh = point.nameZh.trim();
  const en = point.nameEn.trim();
  const kept = Object.entries(point.tag?.names ?? {}).filter(([code]) => !/^(zh|en)/i.test(code));
  const names: Names = { ...Object.fromEntries(kept), ...(zh ? { 'zh-CN': zh } : {}), ...(en ? { en } : {}) };
  const factor = numberOf(point.factor) ?? 1;
  const offset = numberOf(point.offset) ?? 0;
  const scaled = factor !== 1 || offset !== 0;
  const low = numberOf(point.low);
  const high = numberOf(point.high);
  const bool = point.type === 'bool';
  return {
    ...(point.id ? { id: point.id } : {}),
    name: point.name.trim(),
    names,
    description: point.tag?.description ?? '',
    unit: point.unit.trim() || null,
    data_type: point.tag?.data_type ?? (scaled && !bool ? 'f64' : DATA_TYPES[point.type]),
    address: {
      table: point.table,
      address: Number(point.address),
      type: point.type,
      bit: bool && !isBitTable(point.table) ? numberOf(point.bit) : null,
      word_order: point.wordOrder || null,
      unit: numberOf(point.unitId),
    },
    scaling: bool ? [] : scalingOf(point.scaling, factor, offset, now),
    poll_ms: numberOf(point.poll),
    write:
      point.writable && isWritable(point.table)
        ? { min: numberOf(point.writeMin), max: numberOf(point.writeMax), confirm: true }
        : null,
    asset: point.asset || null,
    grade: point.tag?.own_grade ?? null,
    domain: point.tag?.domain ?? null,
    range: low === null || high === null ? null : { low, high },
    labels: point.tag?.labels ?? {},
  };
}

function scalingOf(before: readonly Scaling[], factor: number, offset: number, now: Date): Scaling[] {
  const newest = before.at(-1);
  if (newest ? newest.factor === factor && newest.offset === offset : factor === 1 && offset === 0)
    return [...before];
  // The first scaling holds for all that was ever read; a later one from now on.
  const effective = newest ? now.toISOString() : '1970-01-01T00:00:00Z';
  return [...before, { effective, factor, offset }];
}
