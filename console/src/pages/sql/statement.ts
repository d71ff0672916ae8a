// What a statement gave, as a table that can be sorted; statements to begin with.
import type { QueryRows, Value } from '../../api/types';

/** Longest statement that fits into an address; browsers and proxies take about 8 KiB. */
export const ADDRESS_LENGTH_MAX = 6_000;

/** Types whose cells are numbers, to be set to the right. */
const NUMBERS = new Set(['i64', 'u64', 'f64']);

export function isNumber(type: string): boolean {
  return NUMBERS.has(type);
}

/** The names by which columns are sorted: two columns may have one name. */
export function columnKey(index: number): string {
  return `c${index}`;
}

/** How a cell is compared with others of its column. What is null comes first. */
export function sortKeys(columns: QueryRows['columns']): Record<string, (row: Value[]) => string | number> {
  return Object.fromEntries(
    columns.map(({ type }, index) => [
      columnKey(index),
      (row: Value[]): string | number => {
        const cell = row[index];
        if (!isNumber(type)) return cellText(cell);
        const number = cell === null || cell === undefined ? -Infinity : Number(cell);
        return Number.isNaN(number) ? -Infinity : number;
      },
    ]),
  );
}

/** A cell as text; nothing for null. */
export function cellText(cell: Value | undefined): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}

/** A text of SQL. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export interface Example {
  name: 'last' | 'hourly' | 'bad' | 'asof';
  sql: string;
}

/** Statements to begin with, of tags that there are. */
export function examples(tags: readonly string[]): Example[] {
  const [one, two] = [tags[0] ?? 'prefix/tag', tags[1] ?? tags[0] ?? 'prefix/other'];
  return [
    {
      name: 'last',
      sql: 'SELECT t.name, l.value, t.unit, l.quality, l.time\nFROM last_values l JOIN tags t ON t.id = l.tag\nORDER BY t.name\nLIMIT 200',
    },
    {
      name: 'hourly',
      sql: `SELECT time_bucket('1 hour', time) AS hour, min(value), avg(value), max(value), count(*)\nFROM samples\nWHERE tag = ${quoted(one)} AND time > now() - interval '1 day'\nGROUP BY hour\nORDER BY hour`,
    },
    {
      name: 'bad',
      sql: "SELECT tag, count(*) AS bad_samples, max(time) AS latest\nFROM samples\nWHERE quality = 'bad' AND time > now() - interval '1 day'\nGROUP BY tag\nORDER BY bad_samples DESC",
    },
    {
      name: 'asof',
      sql: `SELECT a.time, a.value AS a, b.value AS b\nFROM samples a ASOF JOIN (SELECT time, value FROM samples WHERE tag = ${quoted(two)} AND quality = 'good') b\n     MATCH_CONDITION (a.time >= b.time)\nWHERE a.tag = ${quoted(one)} AND a.time > now() - interval '10 minutes'\nORDER BY a.time`,
    },
  ];
}
