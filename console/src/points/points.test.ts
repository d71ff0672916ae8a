import { describe, expect, it } from 'vitest';
import type { FieldSchema } from '../api/protocols';
import type { BrowseItem, JsonObject, Point } from '../api/types';
import { bulkChange, NOTHING_CHANGED } from './bulk';
import { cellsOf, parsePaste } from './paste';
import {
  addressOf,
  addressType,
  duplicated,
  emptyPoint,
  pickedPoint,
  pointErrors,
  pointOf,
  pointsErrors,
  pointText,
  type PointText,
} from './points';

const NOW = new Date('2026-11-23T08:00:00Z');

/** Addresses of registers, as the Modbus driver describes them. */
const registers: FieldSchema = {
  type: 'object',
  required: ['table', 'address'],
  'x-order': ['table', 'address', 'type', 'bit', 'word_order', 'unit'],
  properties: {
    table: {
      enum: ['coil', 'discrete', 'input', 'holding'],
      default: 'holding',
      'x-enum-title': { holding: { en: 'Holding register (4x)', 'zh-CN': '保持寄存器（4x）' } },
    },
    address: { type: 'integer', minimum: 0, maximum: 65535, default: 0 },
    type: { enum: ['bool', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'f32', 'f64'], default: 'u16' },
    bit: { type: ['integer', 'null'], minimum: 0, maximum: 15 },
    word_order: { enum: ['ABCD', 'CDAB', 'BADC', 'DCBA', null], default: null },
    unit: { type: ['integer', 'null'], minimum: 0, maximum: 255, 'x-title': { en: 'Unit', 'zh-CN': '单元号' } },
  },
};

/** Addresses of nodes, as OPC UA has them. */
const nodes: FieldSchema = {
  type: 'object',
  required: ['node'],
  properties: {
    node: { type: 'string', 'x-title': { en: 'Node', 'zh-CN': '节点' } },
    sampling_ms: { type: 'integer', 'x-advanced': true },
  },
};

const tag: Point = {
  id: '88.100/level',
  name: 'Level',
  names: { 'zh-CN': '液位', fr: 'Niveau' },
  description: 'of the tank',
  unit: '%',
  unit_symbol: '%',
  data_type: 'u64',
  asset: '88.100/tank',
  grade: 'core',
  own_grade: 'important',
  domain: 'production',
  range: { low: 0, high: 100 },
  labels: {},
  interpolation: 'linear',
  address: { table: 'holding', address: 4, type: 'u16', bit: null, word_order: null, unit: null },
  poll_ms: 500,
  scaling: [{ effective: '2026-01-01T00:00:00Z', factor: 2, offset: 0 }],
  write: { min: 0, max: 100, confirm: true },
  last: null,
  version: 3,
};

const address = (point: PointText | undefined, schema = registers): JsonObject => addressOf(point!, schema);

describe('pasting from a spreadsheet', () => {
  it('reads columns by their order when there is no header', () => {
    const [point] = parsePaste('Reactor pressure\tinput\t10\tf32\tkPa{gauge}\t0.1\t-5\t0\t3000\n', 7, registers);
    expect(point).toMatchObject({
      key: 7,
      name: 'Reactor pressure',
      unit: 'kPa{gauge}',
      factor: '0.1',
      offset: '-5',
      low: '0',
      high: '3000',
    });
    expect(address(point)).toEqual({ table: 'input', address: 10, type: 'f32' });
    expect(pointErrors(point!, registers).fields).toEqual({});
  });

  it('reads columns by a Chinese or English header, in any order', () => {
    const chinese = parsePaste(
      '地址\t名称\t数据类型\t单位\n40001\t反应器压力\tFLOAT\tkPa\n30011\t液位\tINT16\t%',
      0,
      registers,
    );
    expect(chinese).toMatchObject([
      { name: '反应器压力', unit: 'kPa' },
      { name: '液位', unit: '%' },
    ]);
    expect(chinese.map((point) => address(point))).toEqual([
      { table: 'holding', address: 0, type: 'f32' },
      { table: 'input', address: 10, type: 'i16' },
    ]);
    const english = parsePaste('Name,Register,Type,Slave\n"Level, tank",100.3,,2', 0, registers);
    expect(english[0]?.name).toBe('Level, tank');
    expect(address(english[0])).toEqual({ table: 'holding', address: 100, type: 'bool', bit: 3, unit: 2 });
  });

  it('knows choices by their titles and by the words of the trade', () => {
    const points = parsePaste('Name\tTable\tAddress\nA\t保持寄存器（4x）\t1\nB\t线圈\t2\nC\t4x\t3', 0, registers);
    expect(points.map((point) => point.address['table'])).toEqual(['holding', 'coil', 'holding']);
  });

  it('takes an address as it is when the table is named', () => {
    expect(address(parsePaste('A\tholding\t40001\tu16', 0, registers)[0])).toMatchObject({
      table: 'holding',
      address: 40001,
    });
  });

  it('serves any protocol: by the names of its fields, or by whole addresses', () => {
    const byTitle = parsePaste('测点名称\t节点\n速度\tns=2;s=Speed', 0, nodes);
    expect(address(byTitle[0], nodes)).toEqual({ node: 'ns=2;s=Speed' });
    const byWord = parsePaste('Name\tAddress\nSpeed\tns=2;s=Speed', 0, nodes);
    expect(address(byWord[0], nodes)).toEqual({ node: 'ns=2;s=Speed' });
    const whole = parsePaste('Name;Address\nSpeed;"{""node"":""i=5"",""sampling_ms"":10}"', 0, nodes);
    expect(address(whole[0], nodes)).toEqual({ node: 'i=5', sampling_ms: 10 });
    const plain = parsePaste('Speed\tns=2;s=Speed\t{rpm}', 0, nodes);
    expect(plain[0]).toMatchObject({ name: 'Speed', unit: '{rpm}' });
  });

  it('says what is wrong instead of guessing', () => {
    const [point] = parsePaste('\tinput\tabc\tf32\tbar\tx', 0, registers);
    const errors = pointErrors(point!, registers);
    expect(errors.fields).toMatchObject({ name: 'points.noName', factor: 'field.notANumber' });
    expect(errors.address.get('/address')?.key).toBe('field.bounds');
  });

  it('splits quoted cells', () => {
    expect(cellsOf('a;"b ""c"";d"\r\n\r\n e ;f')).toEqual([
      ['a', 'b "c";d'],
      ['e', 'f'],
    ]);
  });
});

describe('points', () => {
  it('go through the form without losing what it does not show', () => {
    const point = pointOf(pointText(tag, 0, registers), registers, NOW);
    expect(point).toEqual({
      id: tag.id,
      name: 'Level',
      names: { fr: 'Niveau', 'zh-CN': '液位' },
      description: 'of the tank',
      unit: '%',
      data_type: 'u64',
      address: tag.address,
      scaling: tag.scaling,
      poll_ms: 500,
      write: { min: 0, max: 100, confirm: true },
      asset: '88.100/tank',
      grade: 'important',
      domain: 'production',
      range: { low: 0, high: 100 },
      labels: {},
      interpolation: 'linear',
    });
  });

  it('keep an address as it came until it is changed', () => {
    const given = { node: 'i=5', from_later: true };
    const item = { at: 'x', name: ' Speed ', address: given, data_type: 'f64', unit: '{rpm}' } as unknown;
    const point = pickedPoint(item as BrowseItem, ' Speed ', 3, nodes);
    expect(point).toMatchObject({ key: 3, name: 'Speed', unit: '{rpm}', dataType: 'f64' });
    expect(addressOf(point, nodes)).toBe(given);
    const changed = { ...point, address: { ...point.address, node: 'i=6' } };
    expect(addressOf(changed, nodes)).toEqual({ node: 'i=6', from_later: true });
  });

  it('take a unit that a device tells only where the node would', () => {
    const unit = (text: string | null) =>
      pickedPoint({ address: {}, data_type: null, unit: text } as unknown as BrowseItem, 'X', 0, nodes).unit;
    expect(['°C', ' {pieces} ', 'kPa{gauge}', null, '件'].map(unit)).toEqual(['°C', '{pieces}', 'kPa{gauge}', '', '件']);
    expect(['\u0007', 'x'.repeat(65), '件'.repeat(22)].map(unit)).toEqual(['', '', '']);
  });

  it('add to the history of a scaling', () => {
    const changed = pointOf({ ...pointText(tag, 0, registers), factor: '3' }, registers, NOW);
    expect(changed.scaling).toEqual([
      { effective: '2026-01-01T00:00:00Z', factor: 2, offset: 0 },
      { effective: '2026-11-23T08:00:00.000Z', factor: 3, offset: 0 },
    ]);
    const fresh = { ...emptyPoint(0, registers), name: 'X' };
    expect(pointOf(fresh, registers, NOW)).toMatchObject({ scaling: [], data_type: 'u64' });
    expect(pointOf({ ...fresh, factor: '0.1' }, registers, NOW)).toMatchObject({
      data_type: 'f64',
      scaling: [{ effective: '1970-01-01T00:00:00Z', factor: 0.1, offset: 0 }],
    });
  });

  it('have the type that the address tells, whatever the protocol calls it', () => {
    const types = ['bool', 'u16', 'i32', 'f32', 'real', 'lreal', 'dint', 'udint', 'word', 'string', 'strange'];
    expect(types.map((type) => addressType({ type }))).toEqual([
      'bool',
      'u64',
      'i64',
      'f64',
      'f64',
      'f64',
      'i64',
      'u64',
      'u64',
      'text',
      'f64',
    ]);
    expect(addressType({ topic: 'a/b' })).toBe('f64');
    const point = { ...emptyPoint(0, nodes), dataType: 'text' as const, factor: '2' };
    expect(pointOf(point, nodes, NOW)).toMatchObject({ data_type: 'text', scaling: [] });
  });

  it('refuse a broken scaling of a tag that holds whole numbers', () => {
    expect(pointErrors({ ...pointText(tag, 0, registers), factor: '0.5' }, registers).fields).toEqual({
      factor: 'points.integerTag',
    });
  });

  it('are checked before the node is asked', () => {
    const good = { ...emptyPoint(0, registers), name: 'X' };
    expect(pointErrors(good, registers).fields).toEqual({});
    expect(
      pointErrors({ ...good, factor: '0', low: '5', high: '1', poll: '1', writeMin: '2', writeMax: '1' }, registers)
        .fields,
    ).toEqual({
      factor: 'points.factorWrong',
      high: 'field.rangeWrong',
      poll: 'points.pollWrong',
      writeMax: 'field.rangeWrong',
    });
    const twice = [0, 1].map((key) => ({ ...emptyPoint(key, registers), name: 'Same' }));
    expect([...pointsErrors(twice, registers)].map(([key, { fields }]) => [key, fields])).toEqual([
      [1, { name: 'points.nameTwice' }],
    ]);
  });

  it('are duplicated with the next number', () => {
    const point = { ...emptyPoint(0, registers), id: '1/x', name: 'Pump 09 speed' };
    expect(duplicated(point, 5)).toMatchObject({ key: 5, id: '', name: 'Pump 10 speed' });
  });

  it('are changed many at a time: what is ticked, and nothing else', () => {
    const point = { ...emptyPoint(0, registers), name: 'Motor 1 speed', unit: 'Hz', poll: '500' };
    const changed = { ...NOTHING_CHANGED.changed, name: true, unit: true, write: true };
    const change = { ...NOTHING_CHANGED, changed, find: 'Motor', replace: 'Pump', prefix: 'L1 ', writeMax: '50' };
    expect(bulkChange(point, change)).toEqual({
      ...point,
      name: 'L1 Pump 1 speed',
      unit: '',
      writable: true,
      writeMax: '50',
    });
    expect(bulkChange(point, NOTHING_CHANGED)).toEqual(point);
  });
});
