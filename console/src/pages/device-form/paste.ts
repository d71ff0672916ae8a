// Points out of a spreadsheet.
import { MODBUS_TABLES, MODBUS_TYPES, WORD_ORDERS, type ModbusTable, type ModbusType } from '../../api/types';
import { isBitTable, parseReference } from '../../format/modbus';
import { emptyPoint, POINTS_MAX, type PointText } from './points';

type Column =
  | 'name'
  | 'nameZh'
  | 'nameEn'
  | 'table'
  | 'address'
  | 'type'
  | 'wordOrder'
  | 'bit'
  | 'unit'
  | 'factor'
  | 'offset'
  | 'low'
  | 'high'
  | 'poll'
  | 'unitId';

/** The order of columns when the pasted text has no header. */
export const PASTE_COLUMNS: readonly Column[] = [
  'name',
  'table',
  'address',
  'type',
  'unit',
  'factor',
  'offset',
  'low',
  'high',
];

const HEADERS: Record<Column, RegExp> = {
  nameZh: /^(中文名称?|chinese name|name[ _]?zh)$/i,
  nameEn: /^(英文名称?|english name|name[ _]?en)$/i,
  name: /^(name|tag|测点|测点名称?|位号|名称|点名)$/i,
  table: /^(table|area|寄存器类型|寄存器区|功能区|数据区)$/i,
  address: /^(address|register|reference|地址|寄存器地址|寄存器)$/i,
  type: /^(type|data ?type|数据类型|类型)$/i,
  wordOrder: /^(word ?order|byte ?order|字序|字节序)$/i,
  bit: /^(bit|位)$/i,
  unit: /^(unit|units|单位|工程单位)$/i,
  factor: /^(factor|scale|gain|系数|倍率|比例)$/i,
  offset: /^(offset|偏移|偏移量)$/i,
  low: /^(low|min|下限|量程下限)$/i,
  high: /^(high|max|上限|量程上限)$/i,
  poll: /^(poll|poll[ _]?ms|interval|周期|采集周期)$/i,
  unitId: /^(unit ?id|slave|slave ?id|站号|从站|从站地址)$/i,
};

const TABLE_WORDS: Record<string, ModbusTable> = {
  coil: 'coil',
  coils: 'coil',
  '0x': 'coil',
  线圈: 'coil',
  discrete: 'discrete',
  'discrete input': 'discrete',
  '1x': 'discrete',
  离散输入: 'discrete',
  离散量输入: 'discrete',
  input: 'input',
  'input register': 'input',
  '3x': 'input',
  输入寄存器: 'input',
  holding: 'holding',
  'holding register': 'holding',
  '4x': 'holding',
  保持寄存器: 'holding',
};

const TYPE_WORDS: Record<string, ModbusType> = {
  bit: 'bool',
  boolean: 'bool',
  布尔: 'bool',
  uint16: 'u16',
  word: 'u16',
  ushort: 'u16',
  int16: 'i16',
  int: 'i16',
  short: 'i16',
  uint32: 'u32',
  dword: 'u32',
  int32: 'i32',
  dint: 'i32',
  uint64: 'u64',
  int64: 'i64',
  float: 'f32',
  float32: 'f32',
  real: 'f32',
  浮点: 'f32',
  double: 'f64',
  float64: 'f64',
  lreal: 'f64',
};

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

/** Rows of points from a pasted text, with or without a header, in Chinese or English. */
export function parsePaste(pasted: string, firstKey: number): PointText[] {
  const rows = cellsOf(pasted);
  const header = rows[0]?.map((cell) =>
    (Object.keys(HEADERS) as Column[]).find((column) => HEADERS[column].test(cell)),
  );
  const hasHeader = (header?.filter(Boolean).length ?? 0) >= 2;
  const columns = hasHeader ? header! : PASTE_COLUMNS;
  return rows
    .slice(hasHeader ? 1 : 0)
    .slice(0, POINTS_MAX)
    .map((cells, index) => pastedPoint(cells, columns, firstKey + index));
}

function pastedPoint(
  cells: readonly string[],
  columns: readonly (Column | undefined)[],
  key: number,
): PointText {
  const point = emptyPoint(key);
  let tableGiven = false;
  let typeGiven = false;
  columns.forEach((column, index) => {
    const cell = cells[index] ?? '';
    if (!column || cell === '') return;
    const word = cell.toLowerCase();
    if (column === 'table') {
      const table = TABLE_WORDS[word] ?? MODBUS_TABLES.find((name) => name === word);
      if (table) point.table = table;
      tableGiven = table !== undefined;
    } else if (column === 'type') {
      const type = TYPE_WORDS[word] ?? MODBUS_TYPES.find((name) => name === word);
      if (type) point.type = type;
      typeGiven = type !== undefined;
    } else if (column === 'wordOrder') {
      const order = WORD_ORDERS.find((name) => name.toLowerCase() === word);
      if (order) point.wordOrder = order;
    } else {
      point[column] = cell;
    }
  });
  // "40001" names table and register in one; "100.3" a bit of a register.
  const bit = /^(\d+)\.(\d{1,2})$/.exec(point.address);
  if (bit) {
    point.address = bit[1]!;
    point.bit = bit[2]!;
    if (!typeGiven) point.type = 'bool';
  }
  const named = tableGiven ? undefined : parseReference(point.address);
  if (named) {
    point.table = named.table;
    point.address = String(named.address);
  }
  if (isBitTable(point.table)) point.type = 'bool';
  point.name ||= point.nameEn || point.nameZh;
  return point;
}
