// Values as an operator reads them.
import type { Range, Value } from '../api/types';

export interface ValueShape {
  data_type?: string;
  range?: Range | null;
  labels?: Record<string, string> | null;
}

/** Most characters of a text or array value shown in a table. */
const TEXT_LENGTH_MAX = 80;

/** The value as text; `–` when there is none. */
export function formatValue(value: Value | undefined, shape: ValueShape = {}): string {
  if (value === null || value === undefined) return '–';
  const label = shape.labels?.[String(value)];
  if (label !== undefined) return label;
  if (typeof value === 'boolean') return value ? 'ON' : 'OFF';
  if (typeof value === 'number') {
    return shape.data_type && shape.data_type !== 'f64' && Number.isInteger(value)
      ? String(value)
      : formatNumber(value, shape.range);
  }
  const text = Array.isArray(value) ? `[${value.map((item) => formatValue(item)).join(', ')}]` : value;
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX - 1)}…` : text;
}

/**
 * A number with as many decimals as its range (or else its size) gives sense to: four figures or
 * more, and always the same count, so that a changing value does not jump about.
 */
export function formatNumber(x: number, range?: Range | null): string {
  if (!Number.isFinite(x)) return String(x);
  const size = Math.abs(x);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return x.toExponential(3);
  const span = range ? Math.abs(range.high - range.low) : 0;
  const magnitude = Math.floor(Math.log10(span > 0 ? span : Math.max(size, 1)));
  return x.toFixed(Math.min(6, Math.max(0, (span > 0 ? 4 : 3) - magnitude)));
}

/** The value as a number for a chart; nothing for text and arrays. */
export function toNumber(value: Value): number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

/** Where the value stands in its range, 0 to 1. */
export function rangeShare(value: Value | undefined, range: Range | null | undefined): number | null {
  const number = value === undefined ? null : toNumber(value);
  if (number === null || !range || !(range.high > range.low)) return null;
  return Math.min(1, Math.max(0, (number - range.low) / (range.high - range.low)));
}

/** What was typed as a value of the type; nothing when it is not one. */
export function parseValue(text: string, dataType: string): Value | undefined {
  const trimmed = text.trim();
  switch (dataType) {
    case 'text':
      return text;
    case 'bool':
      if (/^(true|1|on)$/i.test(trimmed)) return true;
      if (/^(false|0|off)$/i.test(trimmed)) return false;
      return undefined;
    case 'i64':
    case 'u64':
    case 'enumeration': {
      if (!/^[+-]?\d+$/.test(trimmed) || (dataType === 'u64' && trimmed.startsWith('-'))) return undefined;
      const number = Number(trimmed);
      return Number.isSafeInteger(number) ? number : trimmed.replace(/^\+/, '');
    }
    case 'array':
      try {
        const list: unknown = JSON.parse(trimmed);
        return Array.isArray(list) ? (list as Value[]) : undefined;
      } catch {
        return undefined;
      }
    default: {
      if (trimmed === '') return undefined;
      const number = Number(trimmed);
      return Number.isFinite(number) ? number : undefined;
    }
  }
}
