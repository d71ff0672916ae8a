import { describe, expect, it } from 'vitest';
import { href, patched, queryOf } from './search';
import { fixedWindow, parseTrend, trendParameters, windowEnds, type TrendView } from './trend';

describe('addresses', () => {
  it('stay readable and say the same when read again', () => {
    const id = '88.100/反应器 & 50%,a+b#1';
    const address = href('/tag', { id });
    expect(address.startsWith('/tag?id=88.100/')).toBe(true);
    expect(new URLSearchParams(address.split('?')[1]).get('id')).toBe(id);
  });

  it('leave out what is empty', () => {
    expect(href('/tags', { q: '', asset: null, device: undefined })).toBe('/tags');
    expect(
      queryOf([
        ['a', '1'],
        ['b', ''],
      ]),
    ).toBe('?a=1');
  });

  it('change a part and keep the rest', () => {
    const now = new URLSearchParams('q=x&tag=a&tag=b');
    expect(queryOf(patched(now, { tag: ['b', 'c'], sort: 'name' }))).toBe('?q=x&tag=b&tag=c&sort=name');
    expect(queryOf(patched(now, { q: null }))).toBe('?tag=a&tag=b');
  });
});

describe('trend view', () => {
  const roundTrip = (view: TrendView) =>
    parseTrend(new URLSearchParams(href('/trend', trendParameters(view)).split('?')[1]));

  it('is held by the address as a whole', () => {
    const live: TrendView = {
      tags: ['88.100/a', '88.100/b,c'],
      hidden: ['88.100/a'],
      window: { kind: 'live', seconds: 28_800 },
    };
    expect(roundTrip(live)).toEqual(live);
    const fixed: TrendView = {
      tags: ['1/x'],
      hidden: [],
      window: { kind: 'fixed', from: 1_795_420_800, to: 1_795_420_860.5 },
    };
    expect(roundTrip(fixed)).toEqual(fixed);
  });

  it('forgives addresses written by hand', () => {
    const parse = (search: string) => parseTrend(new URLSearchParams(search));
    expect(parse('').window).toEqual({ kind: 'live', seconds: 3_600 });
    expect(parse('range=nonsense').window).toEqual({ kind: 'live', seconds: 3_600 });
    expect(parse('from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z').window.kind).toBe('live');
    expect(parse('tag=a&tag=a&tag=&hide=b').tags).toEqual(['a']);
    expect(parse(Array.from({ length: 40 }, (_, n) => `tag=${n}`).join('&')).tags).toHaveLength(12);
  });

  it('bounds the span', () => {
    expect(fixedWindow(100, 100.2)).toEqual({ kind: 'fixed', from: 99.6, to: 100.6 });
    expect(windowEnds({ kind: 'live', seconds: 60 }, 1000)).toEqual([940, 1000]);
  });
});
