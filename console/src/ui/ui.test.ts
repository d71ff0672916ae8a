import { describe, expect, it } from 'vitest';
import type { Asset } from '../api/types';
import { namesOf, pairOf } from './NameFields';
import { rowWindow } from './rows';
import { point, sparkPath } from './Sparkline';
import { sorted } from './Table';
import { buildTree, pathTo, visibleRows } from './tree';

function asset(id: string, parent: string | null): Asset {
  const state = { tags: 0, bad: 0, devices_down: 0 };
  return {
    id,
    name: id,
    names: {},
    description: '',
    level: 'site',
    parent,
    grade: 'core',
    own_grade: null,
    state,
    version: 1,
  };
}

describe('asset tree', () => {
  const assets = [
    asset('a', null),
    asset('b', 'a'),
    asset('c', 'b'),
    asset('d', 'a'),
    asset('orphan', 'unseen'),
  ];
  const ids = (folded: string[], matches?: (one: Asset) => boolean) =>
    visibleRows(buildTree(assets), new Set(folded), matches).map(
      (row) => `${' '.repeat(row.depth)}${row.asset.id}`,
    );

  it('unfolds, folds and searches', () => {
    expect(ids([])).toEqual(['a', ' b', '  c', ' d', 'orphan']);
    expect(ids(['b'])).toEqual(['a', ' b', ' d', 'orphan']);
    expect(ids(['a', 'b'], (one) => one.id === 'c')).toEqual(['a', ' b', '  c']);
  });

  it('tells places for those who hear it', () => {
    const rows = visibleRows(buildTree(assets), new Set(), undefined);
    expect(rows.map((row) => [row.position, row.siblings])).toEqual([
      [1, 2],
      [1, 2],
      [1, 1],
      [2, 2],
      [2, 2],
    ]);
  });

  it('survives circles', () => {
    const circle = [asset('x', 'y'), asset('y', 'x')];
    expect(
      visibleRows(buildTree(circle), new Set(), undefined)
        .map((row) => row.asset.id)
        .sort(),
    ).toEqual(['x', 'y']);
    expect(pathTo('x', new Map(circle.map((one) => [one.id, one]))).length).toBeLessThan(40);
  });

  it('knows the way down', () => {
    expect(pathTo('c', new Map(assets.map((one) => [one.id, one]))).map((one) => one.id)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });
});

describe('rows', () => {
  it('are those in sight and some around', () => {
    expect(rowWindow(200, 800, 40, 1000)).toEqual({ first: 0, end: 23 });
    expect(rowWindow(-4000, 800, 40, 1000)).toEqual({ first: 92, end: 128 });
    expect(rowWindow(-40_000, 800, 40, 1000)).toEqual({ first: 992, end: 1000 });
    expect(rowWindow(0, 800, 40, 3)).toEqual({ first: 0, end: 3 });
  });

  it('sort numbers by size and texts as people do', () => {
    const items = ['PLC 10', 'PLC 9', 'PLC 1'];
    expect(sorted(items, 'name', { name: (item) => item })).toEqual(['PLC 1', 'PLC 9', 'PLC 10']);
    expect(sorted([1, 10, 9], '-size', { size: (item) => item })).toEqual([10, 9, 1]);
    expect(sorted(items, 'unknown', {})).toEqual(items);
  });
});

describe('names in two languages', () => {
  it('are taken apart and put together', () => {
    expect(pairOf({ name: 'Reactor', names: { 'zh-CN': '反应器' } })).toEqual({
      zh: '反应器',
      en: 'Reactor',
    });
    expect(pairOf({ name: '反应器' })).toEqual({ zh: '反应器', en: '' });
    expect(namesOf({ zh: '反应器', en: 'Reactor' })).toEqual({
      name: 'Reactor',
      names: { 'zh-CN': '反应器', en: 'Reactor' },
    });
    expect(namesOf({ zh: '反应器', en: '' })).toEqual({ name: '反应器', names: { 'zh-CN': '反应器' } });
  });

  it('keep the language of the plain name and take away what was cleared', () => {
    const before = { name: '反应器', names: { zh: '反应器', en: 'Reactor' } };
    expect(namesOf({ zh: '一号反应器', en: '' }, before)).toEqual({
      name: '一号反应器',
      names: { zh: '一号反应器', en: null },
    });
    expect(namesOf({ zh: '', en: 'Reactor 1' }, { name: 'Reactor', names: { 'zh-CN': '反应器' } })).toEqual({
      name: 'Reactor 1',
      names: { 'zh-CN': null, en: 'Reactor 1' },
    });
  });
});

describe('sparkline', () => {
  it('lifts the pen where the quality is bad', () => {
    const at = (second: number, value: number | null, quality = 'good') =>
      point({ time: `1970-01-01T00:00:0${second}Z`, value, quality });
    const points = [at(0, 0), at(1, 10), at(2, null, 'bad'), at(3, 5), at(4, 5)];
    expect(sparkPath(points, 0, 4, 40, 10)).toBe('M0.0 10.0L10.0 0.0M30.0 5.0L40.0 5.0');
    expect(sparkPath([at(2, 7, 'bad:0x80310000')], 0, 4, 40, 10)).toBe('');
  });
});
