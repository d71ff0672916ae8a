import { describe, expect, it } from 'vitest';
import { decimate, figuresOf, numbersOf } from './decimate';

const LENGTH = 65_536;

describe('a waveform', () => {
  it('keeps every peak, however few columns there are', () => {
    const values = Float64Array.from({ length: LENGTH }, (_, at) => Math.sin(at / 50));
    values[12_345] = 99;
    values[54_321] = -99;
    for (const columns of [100, 333, 1_600]) {
      const [xs, ys] = decimate(values, 0, LENGTH, columns);
      expect(xs.length).toBeLessThanOrEqual(2 * columns);
      expect(ys[xs.indexOf(12_345)]).toBe(99);
      expect(ys[xs.indexOf(54_321)]).toBe(-99);
      expect(xs.every((x, at) => at === 0 || x > xs[at - 1]!)).toBe(true);
    }
  });

  it('is drawn element by element where there is room', () => {
    expect(decimate([1, 2, Number.NaN, 4], 0, 4, 10)).toEqual([
      [0, 1, 2, 3],
      [1, 2, null, 4],
    ]);
    expect(decimate(new Float64Array(LENGTH), 100.5, 103.2, 10)[0]).toEqual([100, 101, 102, 103]);
    expect(decimate([], 0, 0, 10)).toEqual([[], []]);
  });

  it('has a gap where a whole column is no number', () => {
    const values = new Float64Array(1_000).fill(1);
    values.fill(Number.NaN, 500, 600);
    const [, ys] = decimate(values, 0, 1_000, 10);
    expect(ys.filter((y) => y === null)).toHaveLength(1);
  });

  it('is told by its extremes and its RMS', () => {
    expect(figuresOf([3, -4, Number.NaN])).toEqual({ low: -4, high: 3, rms: Math.sqrt(12.5) });
    expect(figuresOf([Number.NaN])).toBeUndefined();
  });

  it('comes as doubles', () => {
    const bytes = new DataView(new ArrayBuffer(16));
    bytes.setFloat64(0, 1.5, true);
    bytes.setFloat64(8, -2, true);
    expect([...numbersOf(bytes.buffer)]).toEqual([1.5, -2]);
  });
});
