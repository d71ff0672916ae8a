import { expect, it } from 'vitest';
import { fileName, toCsv } from './csv';

it('quotes what needs it and defuses formulas, not numbers', () => {
  const rows = [
    ['a,b', 'say "hi"', 'two\nlines', null, undefined],
    ['=1+1', '@cmd', '-2.5', -2.5, true],
  ];
  expect(toCsv(['v', 'w', 'x', 'y', 'z'], rows)).toBe(
    'v,w,x,y,z\r\n"a,b","say ""hi""","two\nlines",,\r\n\'=1+1,\'@cmd,-2.5,-2.5,true\r\n',
  );
});

it('names files so that every system takes them', () => {
  expect(fileName('88.100/反应器', new Date(2026, 10, 23, 8, 0, 5))).toBe(
    'weir-88.100-反应器-20261123-080005.csv',
  );
});
