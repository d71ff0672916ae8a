// Samples as lines: plain arrays, oldest first, a gap where there is no usable value.
import type { Sample } from '../../api/types';
import { parseQuality } from '../../format/quality';
import { toSeconds } from '../../format/time';
import { toNumber } from '../../format/value';

export interface Series {
  /** Seconds since 1970, rising. */
  times: number[];
  /** `null` where the quality is bad. */
  values: (number | null)[];
}

/** Most live points that a line grows by between two readings of the history. */
export const TAIL_POINTS_MAX = 5_000;

export const EMPTY: Series = { times: [], values: [] };

/** A sample's value as a point of a line: none where its quality is bad. */
export function plotted(sample: Sample): number | null {
  return parseQuality(sample.quality).severity === 'bad' ? null : toNumber(sample.value);
}

export function seriesOf(samples: readonly Sample[]): Series {
  const series: Series = { times: [], values: [] };
  for (const sample of samples) {
    const time = toSeconds(sample.time);
    if (!Number.isFinite(time)) continue;
    series.times.push(time);
    series.values.push(plotted(sample));
  }
  return series;
}

/** Adds a live sample behind the last one. One that is not newer is left to the history. */
export function append(series: Series, sample: Sample): void {
  const time = toSeconds(sample.time);
  if (!(time > (series.times.at(-1) ?? -Infinity))) return;
  series.times.push(time);
  series.values.push(plotted(sample));
  if (series.times.length > TAIL_POINTS_MAX) {
    series.times.shift();
    series.values.shift();
  }
}

/** The history, continued by the live points that are newer than its end. */
export function continued(history: Series, tail: Series): Series {
  const end = history.times.at(-1) ?? -Infinity;
  const start = tail.times.findIndex((time) => time > end);
  if (start < 0) return history;
  return {
    times: history.times.concat(tail.times.slice(start)),
    values: history.values.concat(tail.values.slice(start)),
  };
}

/**
 * Values on a common time axis. Where a line has no point of its own, `undefined` lets it be drawn
 * on, and `null` goes on until its next point, or a gap would end where another line has a point.
 */
export type Aligned = [number[], ...(number | null | undefined)[][]];

export function align(list: readonly Series[]): Aligned {
  const times = [...new Set(list.flatMap((series) => series.times))].sort((a, b) => a - b);
  const columns = list.map((series) => {
    const column = Array.from<number | null | undefined>({ length: times.length });
    let at = 0;
    series.times.forEach((time, index) => {
      while (times[at]! < time) at++;
      const value = series.values[index] ?? null;
      const end = value === null ? (series.times[index + 1] ?? Infinity) : time;
      column[at] = value;
      while (value === null && times[at + 1]! < end) column[++at] = null;
    });
    return column;
  });
  return [times, ...columns];
}

/** The line's value at a position of the common axis: its last point there or before. */
export function valueAt(column: readonly (number | null | undefined)[], index: number): number | null {
  for (let at = Math.min(index, column.length - 1); at >= 0; at--) {
    const value = column[at];
    if (value !== undefined) return value;
  }
  return null;
}

/** From a point without a usable value to the next that has one, in seconds; the last may have no end. */
export function badSpans(series: Series): [number, number][] {
  const spans: [number, number][] = [];
  let start: number | undefined;
  series.times.forEach((time, index) => {
    if (series.values[index] === null) start ??= time;
    else if (start !== undefined) {
      spans.push([start, time]);
      start = undefined;
    }
  });
  if (start !== undefined) spans.push([start, Infinity]);
  return spans;
}

export interface Extent {
  low: number;
  high: number;
}

/** Lowest and highest value between two times. */
export function extentOf(series: Series, from: number, to: number): Extent | null {
  let low = Infinity;
  let high = -Infinity;
  series.times.forEach((time, index) => {
    const value = series.values[index];
    if (time < from || time > to || value === null || value === undefined) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  });
  return low <= high ? { low, high } : null;
}
