// The tables of SQL, as docs/guide/query.md names them.

const SAMPLES = ['tag', 'time', 'value', 'quality', 'text', 'quality_code'];
const ROLLUP = [
  ...['tag', 'time', 'samples', 'count', 'numbers'],
  ...['min', 'max', 'sum', 'avg', 'first', 'last', 'time_avg'],
  ...['good_seconds', 'uncertain_seconds', 'bad_seconds'],
];

export const TABLES: readonly { name: string; columns: readonly string[] }[] = [
  { name: 'samples', columns: SAMPLES },
  { name: 'last_values', columns: SAMPLES },
  { name: 'rollup_1m', columns: ROLLUP },
  { name: 'rollup_1h', columns: ROLLUP },
  { name: 'rollup_1d', columns: ROLLUP },
  {
    name: 'tags',
    columns: ['id', 'name', 'description', 'unit', 'data_type', 'asset', 'device', 'protocol', 'grade'],
  },
  { name: 'assets', columns: ['id', 'name', 'description', 'level', 'parent', 'grade'] },
];
