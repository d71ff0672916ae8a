// Intervals of aggregates, and which aggregates a tag can have.
import type { DataType } from '../../../api/types';
import { SPAN_S_MAX } from '../../../url/trend';

/** Aggregates as the API names them, in the order of the table. */
export const FUNCTIONS = [
  'avg',
  'time_avg',
  'min',
  'max',
  'first',
  'last',
  'sum',
  'total',
  'count',
  'samples',
  'good_time',
  'uncertain_time',
  'bad_time',
  'percent_good',
] as const;
export type AggregateFunction = (typeof FUNCTIONS)[number];

/** Those that are values of the tag and can stand beside its line. */
export const DRAWN: readonly AggregateFunction[] = ['avg', 'time_avg', 'min', 'max', 'first', 'last'];
/** Those that a text has too. */
const OF_TEXTS: readonly AggregateFunction[] = FUNCTIONS.slice(FUNCTIONS.indexOf('count'));

/** Most rows of a table: beyond, a chart says more. */
const ROWS_MAX = 5_000;
/** About as many rows are made where nobody names an interval. */
const ROWS_FEW = 60;

/** Intervals offered, in seconds: the last but two is a shift. */
const WIDTHS_S = [1, 10, 60, 300, 900, 1_800, 3_600, 14_400, 28_800, 86_400, 604_800] as const;

export function functionsOf(type: DataType): readonly AggregateFunction[] {
  return type === 'text' ? OF_TEXTS : FUNCTIONS;
}

/** What is shown before anybody chooses. */
export function usualFunctions(type: DataType): readonly AggregateFunction[] {
  if (type === 'text') return ['count', 'bad_time', 'percent_good'];
  return type === 'bool' || type === 'enumeration'
    ? ['first', 'last', 'count', 'bad_time', 'percent_good']
    : ['avg', 'time_avg', 'min', 'max', 'count', 'percent_good'];
}

/** The aggregates that an address names; the usual ones where it names none. */
export function parseFunctions(text: string | null, type: DataType): AggregateFunction[] {
  const possible = functionsOf(type);
  const named = (text ?? '').split(',');
  const found = possible.filter((one) => named.includes(one));
  return found.length > 0 ? found : [...usualFunctions(type)];
}

/** Intervals that a span can be cut into without drowning anybody in rows. */
export function widthsFor(spanS: number): number[] {
  return WIDTHS_S.filter((width) => spanS / width <= ROWS_MAX && width <= Math.max(spanS, 1));
}

/** The interval where none is named. */
export function usualWidth(spanS: number): number {
  return (
    WIDTHS_S.find((width) => spanS / width <= ROWS_FEW) ?? Math.ceil(Math.min(spanS, SPAN_S_MAX) / ROWS_FEW)
  );
}

/** As the API reads a length: `90s`, `15m`, `8h`. */
export function widthText(seconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
  ] as const)
    if (seconds % size === 0) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}

/** How far the reader's clock is from UTC, as the API reads it, so that days begin at midnight here. */
export function offsetText(minutesWest: number): string {
  const size = Math.abs(minutesWest);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${minutesWest > 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
