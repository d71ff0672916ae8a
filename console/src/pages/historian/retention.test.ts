import { describe, expect, it } from 'vitest';
import type { HistorianSpan } from '../../api/types';
import { formatBytes } from '../../format/bytes';
import { draftsOf, effectsOf, nextRule, parseRules, takesMore, type RuleDraft } from './retention';

const span = (from: string, rows: number): HistorianSpan => ({
  tenant: 1,
  date: from.slice(0, 10),
  days: 1,
  blocks: 1,
  rows,
  bytes: rows * 2,
  from,
  to: from,
});

describe('rules of retention', () => {
  it('are sent as they are typed', () => {
    const rules = [
      { after_days: 90, keep: 'minute' as const },
      { after_days: 3650, keep: 'nothing' as const },
    ];
    expect(parseRules(draftsOf(rules)).rules).toEqual(rules);
    expect(parseRules([]).rules).toEqual([]);
  });

  it('are told what is wrong with them, each', () => {
    const faults = (...drafts: RuleDraft[]) => parseRules(drafts).faults;
    expect(faults({ days: '', keep: 'hour' })).toEqual(['days']);
    expect(faults({ days: '0', keep: 'hour' })).toEqual(['days']);
    expect(faults({ days: '36526', keep: 'hour' })).toEqual(['days']);
    expect(faults({ days: '1.5', keep: 'hour' })).toEqual(['days']);
    expect(faults({ days: '10', keep: 'hour' }, { days: '10', keep: 'day' })).toEqual([undefined, 'later']);
    expect(faults({ days: '10', keep: 'hour' }, { days: '20', keep: 'minute' })).toEqual([undefined, 'less']);
    expect(faults({ days: '10', keep: 'hour' }, { days: '20', keep: 'hour' })).toEqual([undefined, 'less']);
  });

  it('offer a next one that may stand there', () => {
    const drafts: RuleDraft[] = [];
    for (let next = nextRule(drafts); next; next = nextRule(drafts)) drafts.push(next);
    expect(drafts.map(({ keep }) => keep)).toEqual(['minute', 'hour', 'day', 'nothing']);
    // Four times ten are more days than there may be, which is told like any other number.
    expect(parseRules(drafts.slice(0, 3)).rules).toHaveLength(3);
    expect(nextRule([{ days: '5', keep: 'nothing' }])).toBeUndefined();
  });

  it('reach what is old enough', () => {
    const now = new Date('2026-11-27T00:00:00Z');
    const spans = [
      span('2026-11-26T00:00:00Z', 7),
      span('2026-11-01T00:00:00Z', 5),
      span('2026-01-01T00:00:00Z', 3),
    ];
    const rules = [
      { after_days: 10, keep: 'hour' as const },
      { after_days: 100, keep: 'nothing' as const },
    ];
    const effects = effectsOf(rules, spans, now);
    expect(effects.map(({ rows, bytes }) => [rows, bytes])).toEqual([
      [5, 10],
      [3, 6],
    ]);
    expect(effects[0]!.before.toISOString()).toBe('2026-11-17T00:00:00.000Z');
    expect(effectsOf(rules, undefined, now)[0]!.rows).toBeUndefined();
  });

  it('ask for a confirmation only where they take something', () => {
    const hour = (after_days: number) => ({ after_days, keep: 'hour' as const });
    const none = (after_days: number) => ({ after_days, keep: 'nothing' as const });
    expect(takesMore([], [hour(10)])).toBe(true);
    expect(takesMore([hour(10)], [hour(20)])).toBe(false);
    expect(takesMore([hour(10)], [hour(5)])).toBe(true);
    expect(takesMore([hour(10)], [])).toBe(false);
    expect(takesMore([hour(10), none(100)], [hour(10), none(50)])).toBe(true);
    expect(takesMore([none(10)], [hour(20)])).toBe(false);
  });
});

describe('sizes', () => {
  it('have three figures', () => {
    expect([0, 1023, 1536, 150 << 10, 12.34 * 2 ** 30].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.50 KiB',
      '150 KiB',
      '12.3 GiB',
    ]);
  });
});
