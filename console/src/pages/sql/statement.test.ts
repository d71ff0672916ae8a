import { describe, expect, it } from 'vitest';
import { sorted } from '../../ui/Table';
import { cellText, columnKey, examples, isNumber, sortKeys } from './statement';

describe('the rows of a statement', () => {
  const columns = [
    { name: 'x', type: 'f64' },
    { name: 'x', type: 'u64' },
    { name: 'x', type: 'text' },
  ];
  const rows = [
    [2, '18446744073709551615', 'b'],
    [null, 3, null],
    [10, 20, 'a'],
  ];
  const by = (sort: string) => sorted(rows, sort, sortKeys(columns)).map((row) => row[2]);

  it('are sorted by any column, even of the same name', () => {
    expect(by(columnKey(0))).toEqual([null, 'b', 'a']);
    expect(by(`-${columnKey(1)}`)).toEqual(['b', 'a', null]);
    expect(by(columnKey(2))).toEqual([null, 'a', 'b']);
  });

  it('have cells of every kind', () => {
    expect([null, undefined, true, 1.5, 'x', [1, 2]].map(cellText)).toEqual([
      '',
      '',
      'true',
      '1.5',
      'x',
      '[1,2]',
    ]);
    expect(['i64', 'u64', 'f64', 'text', 'time', 'bool'].map(isNumber)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('statements to begin with', () => {
  it('name tags that there are, whatever is in their names', () => {
    const [, hourly, , asof] = examples(["88.100/o'clock", '88.100/b']);
    expect(hourly!.sql).toContain("tag = '88.100/o''clock'");
    expect(asof!.sql).toContain("tag = '88.100/b'");
    expect(new Set(examples([]).map(({ name }) => name)).size).toBe(4);
  });
});
