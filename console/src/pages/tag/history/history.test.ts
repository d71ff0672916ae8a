import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../format/time';
import { unitsLike } from '../../../format/units';
import { seriesOfRows } from './aggregates';
import { functionsOf, offsetText, parseFunctions, usualWidth, widthsFor, widthText } from './intervals';

describe('intervals', () => {
  it('give a table that can be read, of any span', () => {
    for (const span of [1, 60, 300, 3_600, 86_400, 30 * 86_400, 20 * 366 * 86_400]) {
      expect(span / usualWidth(span)).toBeLessThanOrEqual(60);
      for (const width of widthsFor(span)) expect(span / width).toBeLessThanOrEqual(5_000);
    }
    expect(widthsFor(3_600)).toContain(900);
    expect(widthsFor(30 * 86_400)).not.toContain(60);
  });

  it('are written as the node reads them', () => {
    expect([1, 90, 900, 28_800, 86_400, 604_800].map(widthText)).toEqual([
      '1s',
      '90s',
      '15m',
      '8h',
      '1d',
      '7d',
    ]);
    expect(parseDuration(widthText(900))).toBe(900);
    expect([-480, 0, 300, -330].map(offsetText)).toEqual(['+08:00', '+00:00', '-05:00', '+05:30']);
  });
});

describe('aggregates', () => {
  it('are those that the type can have', () => {
    expect(parseFunctions('max,nonsense,min', 'f64')).toEqual(['min', 'max']);
    expect(parseFunctions(null, 'f64')).toContain('time_avg');
    expect(parseFunctions('max', 'text')).toEqual(['count', 'bad_time', 'percent_good']);
    expect(functionsOf('text')).not.toContain('avg');
  });

  it('are lines that hold until their interval ends', () => {
    const rows = [
      { time: '1970-01-01T00:00:00Z', avg: 1 },
      { time: '1970-01-01T00:01:00Z', avg: null },
      { time: '1970-01-01T00:02:00Z', avg: 3 },
    ];
    expect(seriesOfRows(rows, 'avg', 150)).toEqual({ times: [0, 60, 120, 150], values: [1, null, 3, 3] });
    expect(seriesOfRows([], 'avg', 150)).toEqual({ times: [], values: [] });
  });
});

describe('units', () => {
  it('are offered of the same quantity', () => {
    expect(unitsLike('Cel')).toEqual(['K', '[degF]']);
    expect(unitsLike('kPa')).toContain('bar');
    expect(unitsLike('{pieces}')).toEqual([]);
  });
});
