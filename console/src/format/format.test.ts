import { describe, expect, it } from 'vitest';
import { parseReference } from './reference';
import { displayName } from './name';
import { parseQuality } from './quality';
import { durationText, formatDuration, formatRecent, formatTime, parseDuration, toSeconds } from './time';
import { formatNumber, formatValue, parseValue, rangeShare, toNumber } from './value';

describe('values', () => {
  it('keep the same decimals while they change', () => {
    expect([2705, 2694.87, 99.4].map((x) => formatNumber(x, { low: 0, high: 3000 }))).toEqual([
      '2705.0',
      '2694.9',
      '99.4',
    ]);
    expect([0.25, 120.404, 3664.2, 0].map((x) => formatNumber(x))).toEqual([
      '0.250',
      '120.4',
      '3664',
      '0.000',
    ]);
    expect(formatNumber(1e-7)).toBe('1.000e-7');
    expect(formatNumber(-2.5e12)).toBe('-2.500e+12');
  });

  it('are shown by type', () => {
    expect(formatValue(null)).toBe('–');
    expect(formatValue(true)).toBe('ON');
    expect(formatValue(2, { labels: { '2': 'Running' } })).toBe('Running');
    expect(formatValue(true, { labels: { true: 'Open' } })).toBe('Open');
    expect(formatValue(1234567, { data_type: 'i64' })).toBe('1234567');
    expect(formatValue('18446744073709551615', { data_type: 'u64' })).toBe('18446744073709551615');
    expect(formatValue([1, 2.5])).toBe('[1.000, 2.500]');
    expect(formatValue('x'.repeat(200))).toHaveLength(80);
  });

  it('are read as they were typed, or not at all', () => {
    expect(parseValue(' 42.5 ', 'f64')).toBe(42.5);
    expect(parseValue('', 'f64')).toBeUndefined();
    expect(parseValue('4 2', 'f64')).toBeUndefined();
    expect(parseValue('1.5', 'i64')).toBeUndefined();
    expect(parseValue('-1', 'u64')).toBeUndefined();
    expect(parseValue('9007199254740993', 'u64')).toBe('9007199254740993');
    expect(parseValue('ON', 'bool')).toBe(true);
    expect(parseValue('yes', 'bool')).toBeUndefined();
    expect(parseValue(' keep ', 'text')).toBe(' keep ');
    expect(parseValue('[1,2]', 'array')).toEqual([1, 2]);
  });

  it('have numbers and a place in their range', () => {
    expect([true, '12', 'abc', '', null, Number.NaN].map((value) => toNumber(value))).toEqual([
      1,
      12,
      null,
      null,
      null,
      null,
    ]);
    expect(rangeShare(750, { low: 0, high: 3000 })).toBe(0.25);
    expect(rangeShare(-5, { low: 0, high: 10 })).toBe(0);
    expect(rangeShare(5, { low: 10, high: 10 })).toBeNull();
  });
});

describe('quality', () => {
  it('has severity and known code', () => {
    expect(parseQuality('good')).toEqual({ severity: 'good', code: undefined, known: undefined });
    expect(parseQuality('bad:0x80310000')).toEqual({
      severity: 'bad',
      code: '0x80310000',
      known: '0x80310000',
    });
    expect(parseQuality('bad:0x800a0000').known).toBe('0x800A0000');
    expect(parseQuality('uncertain:0x40000001')).toEqual({
      severity: 'uncertain',
      code: '0x40000001',
      known: undefined,
    });
    expect(parseQuality('nonsense').severity).toBe('bad');
  });
});

describe('times', () => {
  it('keep their fraction', () => {
    expect(toSeconds('1970-01-01T00:00:01.123456789Z')).toBeCloseTo(1.123456789, 9);
    expect(toSeconds('1970-01-01T08:00:00+08:00')).toBe(0);
    expect(toSeconds('yesterday')).toBeNaN();
  });

  it('are written year first, with the date only when it is another', () => {
    const time = new Date(2026, 10, 23, 8, 0, 5, 120);
    expect(formatTime(time, true)).toBe('2026-11-23 08:00:05.120');
    expect(formatRecent(time.toISOString(), new Date(2026, 10, 23, 23))).toBe('08:00:05.120');
    expect(formatRecent(time.toISOString(), new Date(2026, 10, 24))).toBe('2026-11-23 08:00:05');
    expect(formatTime('never')).toBe('–');
  });

  it('span durations', () => {
    expect([0, 59, 61, 3_600, 90_061].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 1 s',
      '1 h',
      '1 d 1 h',
    ]);
    expect(['90s', '5m', '8h', '7d', '0s', '5', '5y'].map(parseDuration)).toEqual([
      90,
      300,
      28_800,
      604_800,
      undefined,
      undefined,
      undefined,
    ]);
    expect([90, 300, 28_800, 604_800].map(durationText)).toEqual(['90s', '5m', '8h', '7d']);
  });
});

describe('names', () => {
  it('come in the language, else as they are', () => {
    const reactor = { name: 'Reactor', names: { 'zh-CN': '反应器' } };
    expect(displayName(reactor, 'zh-CN')).toBe('反应器');
    expect(displayName({ name: 'Reactor', names: { zh: '反应器' } }, 'zh-CN')).toBe('反应器');
    expect(displayName(reactor, 'en')).toBe('Reactor');
    expect(displayName({ name: '反应器', names: {} }, 'en')).toBe('反应器');
  });
});

describe('references to registers', () => {
  it('are read from references', () => {
    expect(parseReference('40001')).toEqual({ table: 'holding', address: 0 });
    expect(parseReference('300010')).toEqual({ table: 'input', address: 9 });
    expect(parseReference('465536')).toEqual({ table: 'holding', address: 65_535 });
    expect(parseReference('465537')).toBeUndefined();
    expect(parseReference('40000')).toBeUndefined();
    expect(parseReference('100')).toBeUndefined();
    expect(parseReference('20001')).toBeUndefined();
  });
});
