// Points out of a spreadsheet, for any protocol: columns are named after the address's fields.
import type { FieldSchema } from '../api/protocols';
import type { Json, JsonObject } from '../api/types';
import { parseReference } from '../format/reference';
import { formOf, type FormValues } from '../schema/form';
import { fieldsOf, isNullable, isRequired, kindOf } from '../schema/schema';
import { emptyPoint, POINTS_MAX, type PointText } from './points';

type PlainColumn =
  | 'name'
  | 'nameZh'
  | 'nameEn'
  | 'unit'
  | 'factor'
  | 'offset'
  | 'low'
  | 'high'
  | 'poll'
  | 'writeMin'
  | 'writeMax';
/** A column of the table, a field of the address, or the whole address as JSON. */
export type Column = { plain: PlainColumn } | { field: string } | { whole: true };

const HEADERS: Record<PlainColumn, RegExp> = {
  nameZh: /^(中文名称?|chinese name|name[ _]?zh)$/i,
  nameEn: /^(英文名称?|english name|name[ _]?en)$/i,
  name: /^(name|tag|point name|测点|测点名称?|位号|名称|点名)$/i,
  unit: /^(unit|units|单位|工程单位)$/i,
  factor: /^(factor|scale|gain|系数|倍率|比例)$/i,
  offset: /^(offset|偏移|偏移量)$/i,
  low: /^(low|min|下限|量程下限)$/i,
  high: /^(high|max|上限|量程上限)$/i,
  poll: /^(poll|poll[ _]?ms|interval|周期|采集周期)$/i,
  writeMin: /^(write[ _]?min|lowest write|写入下限)$/i,
  writeMax: /^(write[ _]?max|highest write|写入上限)$/i,
};

/** Other words for fields of addresses, in lists of all kinds of devices. */
const FIELD_WORDS: readonly [RegExp, readonly string[]][] = [
  [/^(table|area|寄存器类型|寄存器区|功能区|数据区)$/i, ['table', 'area']],
  [/^(register|reference|寄存器地址|寄存器)$/i, ['address']],
  [/^(type|data ?type|数据类型|类型)$/i, ['type', 'data_type']],
  [/^(word ?order|byte ?order|字序|字节序)$/i, ['word_order']],
  [/^(unit ?id|slave|slave ?id|站号|从站|从站地址|单元号)$/i, ['unit']],
  [/^(node ?id|node|节点|节点标识)$/i, ['node', 'node_id']],
  [/^(topic|主题)$/i, ['topic']],
  [/^(metric|指标)$/i, ['metric']],
  [/^(column|列|列名|字段)$/i, ['column']],
  [/^(bit|位)$/i, ['bit']],
];
/** What a list calls the address, whatever the driver calls it. */
const ADDRESS_WORD = /^(address|地址|点地址)$/i;

/** Other words for choices. */
const CHOICE_WORDS: readonly [RegExp, readonly string[]][] = [
  [/^(0x|coils?|线圈)$/i, ['coil']],
  [/^(1x|discrete( input)?s?|离散(量)?输入)$/i, ['discrete']],
  [/^(3x|input( register)?s?|输入寄存器)$/i, ['input']],
  [/^(4x|holding( register)?s?|保持寄存器)$/i, ['holding']],
  [/^(bit|boolean|布尔|开关量)$/i, ['bool']],
  [/^(uint16|word|ushort|uint)$/i, ['u16', 'word', 'uint']],
  [/^(int16|int|short)$/i, ['i16', 'int']],
  [/^(uint32|dword|udint)$/i, ['u32', 'dword', 'udint']],
  [/^(int32|dint)$/i, ['i32', 'dint']],
  [/^(uint64|lword|ulint)$/i, ['u64', 'lword', 'ulint']],
  [/^(int64|lint)$/i, ['i64', 'lint']],
  [/^(float|float32|real|浮点)$/i, ['f32', 'real']],
  [/^(double|float64|lreal|双精度)$/i, ['f64', 'lreal']],
];

/** Cells of a text copied from a spreadsheet (tabs) or of CSV (commas, semicolons). */
export function cellsOf(pasted: string): string[][] {
  const lines = pasted
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .filter((line) => line.trim() !== '');
  const separator = ['\t', ';', ','].find((mark) => lines.some((line) => line.includes(mark))) ?? '\t';
  return lines.slice(0, POINTS_MAX + 1).map((line) => splitLine(line, separator));
}

function splitLine(line: string, separator: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (quoted && char === '"' && line[at + 1] === '"') {
      cell += '"';
      at++;
    } else if (char === '"' && (quoted || cell === '')) quoted = !quoted;
    else if (char === separator && !quoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += char;
  }
  cells.push(cell.trim());
  return cells;
}

/** The columns of a text without a header: name, what makes an address, then what turns it into a value. */
export function plainColumns(schema: FieldSchema): Column[] {
  const telling = fieldsOf(schema).filter(
    ([name, field]) => isRequired(schema, name) || !(isNullable(field) || field['x-advanced']),
  );
  const after: PlainColumn[] = ['unit', 'factor', 'offset', 'low', 'high'];
  return [
    { plain: 'name' },
    ...telling.map(([field]) => ({ field })),
    ...after.map((plain) => ({ plain })),
  ];
}

/** What a head names, or nothing known. */
function columnOf(head: string, schema: FieldSchema): Column | undefined {
  const fields = fieldsOf(schema);
  const word = head.toLowerCase();
  const names = fields.map(([name]) => name);
  const told = FIELD_WORDS.find(([pattern]) => pattern.test(head))?.[1].find((name) => names.includes(name));
  // "Unit" is the unit of the value where the list has no other word for it.
  const plain = (Object.keys(HEADERS) as PlainColumn[]).find((one) => HEADERS[one].test(head));
  if (plain) return { plain };
  if (told) return { field: told };
  const named = fields.find(
    ([name, field]) =>
      name.toLowerCase() === word ||
      [field.title, ...Object.values(field['x-title'] ?? {})].some((title) => title?.toLowerCase() === word),
  );
  if (named) return { field: named[0] };
  if (ADDRESS_WORD.test(head)) {
    const first = fields.find(([name, field]) => isRequired(schema, name) && !field.enum);
    return first ? { field: first[0] } : { whole: true };
  }
  return undefined;
}

/** Rows of points from a pasted text, with or without a header, in Chinese or English. */
export function parsePaste(pasted: string, firstKey: number, schema: FieldSchema): PointText[] {
  const rows = cellsOf(pasted);
  const header = rows[0]?.map((cell) => columnOf(cell, schema));
  const hasHeader = (header?.filter(Boolean).length ?? 0) >= 2;
  const columns = hasHeader ? header! : plainColumns(schema);
  return rows
    .slice(hasHeader ? 1 : 0)
    .slice(0, POINTS_MAX)
    .map((cells, index) => pastedPoint(cells, columns, firstKey + index, schema));
}

function pastedPoint(
  cells: readonly string[],
  columns: readonly (Column | undefined)[],
  key: number,
  schema: FieldSchema,
): PointText {
  const point = emptyPoint(key, schema);
  const given = new Set<string>();
  columns.forEach((column, index) => {
    const cell = cells[index] ?? '';
    if (!column || cell === '') return;
    if ('plain' in column) {
      point[column.plain] = cell;
      return;
    }
    const whole = wholeAddress(cell);
    if (whole) {
      point.address = formOf(schema, whole);
      point.given = whole;
    } else if ('field' in column) {
      const value = cellValue(schema.properties?.[column.field] ?? {}, cell);
      // A choice that is not known stays as it is by default; the preview shows it.
      if (value === undefined) return;
      point.address[column.field] = value;
      given.add(column.field);
    }
  });
  point.address = withReference(point.address, given, schema);
  point.name ||= point.nameEn || point.nameZh;
  return point;
}

/** An address as an export writes it. */
function wholeAddress(cell: string): JsonObject | undefined {
  if (!cell.startsWith('{')) return undefined;
  try {
    return JSON.parse(cell) as JsonObject;
  } catch {
    return undefined;
  }
}

function cellValue(field: FieldSchema, cell: string): string | boolean | undefined {
  switch (kindOf(field)) {
    case 'choice':
      return choiceOf(field, cell);
    case 'truth':
      return /^(true|1|on|yes|是)$/i.test(cell);
    default:
      return cell;
  }
}

function choiceOf(field: FieldSchema, cell: string): string | undefined {
  const choices = (field.enum ?? []).filter((one): one is Exclude<Json, null> => one !== null).map(String);
  const word = cell.toLowerCase();
  const titled = (choice: string) =>
    Object.values(field['x-enum-title']?.[choice] ?? {}).some((title) => title.toLowerCase() === word);
  const aliases = CHOICE_WORDS.filter(([pattern]) => pattern.test(cell)).flatMap(([, names]) => names);
  return (
    choices.find((choice) => choice.toLowerCase() === word) ??
    choices.find(titled) ??
    choices.find((choice) => aliases.includes(choice.toLowerCase()))
  );
}

// Lists of registers write "40001" for table and register in one, and "100.3" for a bit of a
// register. Understood wherever an address has such tables.
function withReference(
  address: FormValues,
  given: ReadonlySet<string>,
  schema: FieldSchema,
): FormValues {
  const tables = schema.properties?.['table']?.enum;
  const place = address['address'];
  if (!tables?.includes('holding') || typeof place !== 'string') return address;
  const next = { ...address };
  const bit = /^(\d+)\.(\d{1,2})$/.exec(place);
  if (bit) {
    next['address'] = bit[1]!;
    next['bit'] = bit[2]!;
    if (!given.has('type')) next['type'] = 'bool';
  }
  const named = given.has('table') ? undefined : parseReference(String(next['address']));
  if (named) {
    next['table'] = named.table;
    next['address'] = String(named.address);
  }
  if (next['table'] === 'coil' || next['table'] === 'discrete') next['type'] = 'bool';
  return next;
}
