import { describe, expect, it } from 'vitest';
import type { Sample, Tag } from '../../api/types';
import { dragged, zoomed } from './gestures';
import { pointsFor } from './history';
import { isStepped, paddedRange, stepFor, tickTexts } from './look';
import { align, append, badSpans, continued, extentOf, seriesOf, TAIL_POINTS_MAX, valueAt } from './series';

const at = (seconds: number, value: Sample['value'], quality = 'good'): Sample => ({
  time: new Date(seconds * 1000).toISOString(),
  value,
  quality,
});

describe('lines', () => {
  it('have gaps where the quality is bad, whatever the value says', () => {
    const series = seriesOf([
      at(1, 5),
      at(2, 6, 'bad:0x80310000'),
      at(3, true),
      at(4, 'text'),
      at(5, 7, 'uncertain'),
    ]);
    expect(series.values).toEqual([5, null, 1, null, 7]);
  });

  it('tell from when to when the quality was bad', () => {
    const bad = (seconds: number) => at(seconds, 1, 'bad');
    expect(badSpans(seriesOf([at(1, 5), bad(2), bad(3), at(4, 7), bad(6)]))).toEqual([
      [2, 4],
      [6, Infinity],
    ]);
    expect(badSpans(seriesOf([at(1, 5)]))).toEqual([]);
  });

  it('go on live without doubling what the history has', () => {
    const history = seriesOf([at(1, 1), at(2, 2)]);
    const tail = { times: [] as number[], values: [] as (number | null)[] };
    [at(1.5, 9), at(2, 9), at(3, 3), at(3, 8), at(4, 4)].forEach((sample) => append(tail, sample));
    expect(tail.times).toEqual([1.5, 2, 3, 4]);
    expect(continued(history, tail)).toEqual({ times: [1, 2, 3, 4], values: [1, 2, 3, 4] });
    expect(continued(seriesOf([at(9, 1)]), tail).times).toEqual([9]);
  });

  it('bound what comes live', () => {
    const tail = { times: [] as number[], values: [] as (number | null)[] };
    for (let n = 0; n < TAIL_POINTS_MAX + 10; n++) append(tail, at(n, n));
    expect(tail.times).toHaveLength(TAIL_POINTS_MAX);
    expect(tail.times[0]).toBe(10);
  });

  it('share a time axis; where one has no point of its own it is drawn on', () => {
    const data = align([seriesOf([at(1, 1), at(3, 3)]), seriesOf([at(2, 20), at(3, null, 'bad')])]);
    expect(data).toEqual([
      [1, 2, 3],
      [1, undefined, 3],
      [undefined, 20, null],
    ]);
    expect(valueAt(data[1] as number[], 1)).toBe(1);
    expect(valueAt(data[2] as number[], 2)).toBeNull();
    expect(valueAt(data[2] as number[], 0)).toBeNull();
  });

  it('keep a gap open until their own next point', () => {
    const busy = seriesOf([1, 2, 3, 4, 5, 6].map((second) => at(second, second)));
    const outage = seriesOf([at(1, 10), at(2, null, 'bad'), at(5, 50)]);
    const over = seriesOf([at(2, null, 'bad')]);
    expect(align([busy, outage, over]).slice(2)).toEqual([
      [10, null, null, null, 50, undefined],
      [undefined, null, null, null, null, null],
    ]);
  });

  it('know their extremes in the window', () => {
    const series = seriesOf([at(1, 100), at(2, 3), at(3, null, 'bad'), at(4, -2)]);
    expect(extentOf(series, 2, 4)).toEqual({ low: -2, high: 3 });
    expect(extentOf(series, 5, 9)).toBeNull();
  });
});

describe('window', () => {
  it('zooms around a time', () => {
    expect(zoomed(0, 100, 25, 0.5)).toEqual([12.5, 62.5]);
  });

  it('follows one finger and two', () => {
    const box = { left: 0, width: 100 };
    expect(dragged([0, 100], [50], [60], box)).toEqual([-10, 90]);
    expect(dragged([0, 100], [40, 60], [20, 80], box).map(Math.round)).toEqual([33, 67]);
    expect(dragged([0, 100], [40, 60], [50, 50], box)).toEqual([-10, 90]);
  });

  it('asks for as many points as there are pixels', () => {
    expect([0, 401, 1_140, 99_999].map(pointsFor)).toEqual([200, 500, 1_200, 4_000]);
  });

  it('draws steps where a value stays', () => {
    const stepped = (tag: Partial<Tag>) => isStepped(tag as Tag);
    expect(stepped({ data_type: 'f64', interpolation: null })).toBe(false);
    expect(stepped({ data_type: 'f64', interpolation: 'step' })).toBe(true);
    expect(stepped({ data_type: 'i64' })).toBe(true);
    expect(stepped({ data_type: 'i64', interpolation: 'linear' })).toBe(false);
  });

  it('exports rows in steps that are not too many', () => {
    expect([300, 3_600, 28_800, 604_800].map(stepFor)).toEqual(['100ms', '1s', '5s', '300s']);
    expect(stepFor(86_400 * 36_500)).toBe('315360s');
  });

  it('labels its value axis exactly', () => {
    expect(tickTexts([2.5, 5, 7.5])).toEqual(['2.5', '5.0', '7.5']);
    expect(tickTexts([0, 0.1 + 0.2, 0.6])).toEqual(['0.0', '0.3', '0.6']);
    expect(tickTexts([100, 200])).toEqual(['100', '200']);
    expect(tickTexts([0, 0.00025])).toEqual(['0.00000', '0.00025']);
  });

  it('leaves room around lines, flat ones too', () => {
    expect(paddedRange(0, 100)).toEqual([-8, 108]);
    expect(paddedRange(5, 5)).toEqual([4.5, 5.5]);
    expect(paddedRange(null, null)).toEqual([0, 1]);
  });
});
