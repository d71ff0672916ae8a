import { describe, expect, it } from 'vitest';
import type { BrowseItem } from '../api/types';
import { browseRows, fitName, nameFor, ROOT, UNLOADED, valuesBelow, type Branch, type Branches } from './browse';
import { argumentOf } from './argument';

const item = (at: string, more: Partial<BrowseItem> = {}): BrowseItem => ({
  at,
  name: at,
  description: '',
  expandable: false,
  address: null,
  method: null,
  data_type: null,
  unit: null,
  writable: null,
  value: null,
  ...more,
});
const value = (at: string) => item(at, { address: { node: at } });
const folder = (at: string) => item(at, { expandable: true });
const branch = (items: BrowseItem[], more: Partial<Branch> = {}): Branch => ({ ...UNLOADED, items, ...more });

const branches: Branches = new Map([
  [ROOT, branch([folder('line'), value('state')])],
  ['line', branch([folder('press'), value('speed')], { next: 'line?2' })],
  ['press', branch([value('force'), folder('line')])],
]);

const rows = (unfolded: string[], query = '') =>
  browseRows(branches, new Set(unfolded), query).map((row) =>
    row.kind === 'item' ? `${' '.repeat(row.depth)}${row.item.name}` : `${' '.repeat(row.depth)}[${row.kind}]`,
  );

describe('what a device offers', () => {
  it('is unfolded step by step, and tells where there is more', () => {
    expect(rows([])).toEqual(['line', 'state']);
    expect(rows(['line'])).toEqual(['line', ' press', ' speed', ' [more]', 'state']);
  });

  it('survives circles', () => {
    expect(rows(['line', 'press'])).toEqual(['line', ' press', '  force', '  line', ' speed', ' [more]', 'state']);
    expect(valuesBelow(branches, ROOT, []).map((one) => one.item.name)).toEqual(['force', 'speed', 'state']);
  });

  it('is searched in what is loaded, with the way to it', () => {
    expect(rows([], 'FOR')).toEqual(['line', ' press', '  force']);
    expect(rows([], 'nothing')).toEqual([]);
  });

  it('says that a place is empty, loading or failed', () => {
    const kinds = (one: Branch) => browseRows(new Map([[ROOT, one]]), new Set(), '').map((row) => row.kind);
    expect(kinds(branch([]))).toEqual(['empty']);
    expect(kinds(branch([], { loading: true }))).toEqual(['loading']);
    expect(kinds(branch([value('a')], { error: new Error('x') }))).toEqual(['item', 'failed']);
  });

  it('gives values names that no other has', () => {
    const speed = value('speed');
    expect(nameFor(speed, ['line', 'press'], new Set())).toBe('speed');
    expect(nameFor(speed, ['line', 'press'], new Set(['speed']))).toBe('press speed');
    expect(nameFor(speed, [], new Set(['speed', 'speed 2']))).toBe('speed 3');
    expect(nameFor(item('x', { name: ' ' }), [], new Set())).toBe('1 2');
  });

  it('makes a name that the node takes of whatever a device says', () => {
    const bytes = (text: string) => new TextEncoder().encode(text).length;
    expect(fitName('\u0000Speed\r\n of\tpump\u007f ')).toBe('Speed of pump');
    expect(fitName('\u202egniK\u2066')).toBe('gniK');
    expect(fitName('\ud83d')).toBe('');
    expect(fitName('液位 🛢️')).toBe('液位 🛢️');
    for (const long of ['x'.repeat(65_536), '液'.repeat(65_536), '🛢'.repeat(65_536), `a${'🛢'.repeat(500)}`]) {
      const name = fitName(long);
      expect(bytes(name)).toBeLessThanOrEqual(240);
      expect(bytes(name)).toBeGreaterThan(110);
      expect(JSON.stringify(name)).not.toMatch(/\\ud[89a-f]/);
      const next = nameFor(item('x', { name: long }), [], new Set([name.toLowerCase()]));
      expect(bytes(next)).toBeLessThanOrEqual(256);
    }
    // Names that differ by case alone, or not at all once they are fit, stay apart.
    expect(nameFor(item('x', { name: 'SPEED' }), [], new Set(['speed']))).toBe('SPEED 2');
    expect(nameFor(item('x', { name: 'speed\u0001' }), [], new Set(['speed']))).toBe('speed 2');
  });

  it('takes arguments of methods as JSON where they are some', () => {
    expect(['1.5', 'true', '"a"', '[1]', 'fast'].map(argumentOf)).toEqual([1.5, true, 'a', [1], 'fast']);
  });
});
