import { describe, expect, it } from 'vitest';
import type { Device, Tag } from '../../api/types';
import { deviceDraft, deviceErrors, deviceText } from './form';
import { cellsOf, parsePaste } from './paste';
import { duplicated, emptyPoint, pointErrors, pointOf, pointText } from './points';

const NOW = new Date('2026-11-23T08:00:00Z');

const tag: Tag = {
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
  protocol: 'modbus',
  device: '88.100/plc',
  source: {
    device: '88.100/plc',
    protocol: 'modbus',
    address: { table: 'holding', address: 4, type: 'u16', bit: null, word_order: null, unit: null },
    poll_ms: 500,
    scaling: [{ effective: '2026-01-01T00:00:00Z', factor: 2, offset: 0 }],
    write: { min: 0, max: 100, confirm: true },
  },
  last: null,
  version: 3,
};

describe('pasting from a spreadsheet', () => {
  it('reads columns by their order when there is no header', () => {
    const [point] = parsePaste('Reactor pressure\tinput\t10\tf32\tkPa{gauge}\t0.1\t-5\t0\t3000\n', 7);
    expect(point).toMatchObject({
      key: 7,
      name: 'Reactor pressure',
      table: 'input',
      address: '10',
      type: 'f32',
      unit: 'kPa{gauge}',
      factor: '0.1',
      offset: '-5',
      low: '0',
      high: '3000',
    });
    expect(pointErrors(point!)).toEqual({});
  });

  it('reads columns by a Chinese or English header, in any order', () => {
    const chinese = parsePaste(
      '地址\t名称\t数据类型\t单位\n40001\t反应器压力\tFLOAT\tkPa\n30011\t液位\tINT16\t%',
      0,
    );
    expect(chinese).toMatchObject([
      { name: '反应器压力', table: 'holding', address: '0', type: 'f32', unit: 'kPa' },
      { name: '液位', table: 'input', address: '10', type: 'i16', unit: '%' },
    ]);
    const english = parsePaste('Name,Register,Type,Slave\n"Level, tank",100.3,,2', 0);
    expect(english).toMatchObject([
      { name: 'Level, tank', address: '100', bit: '3', type: 'bool', unitId: '2' },
    ]);
  });

  it('takes an address as it is when the table is named', () => {
    expect(parsePaste('A\tholding\t40001\tu16', 0)).toMatchObject([{ table: 'holding', address: '40001' }]);
  });

  it('says what is wrong instead of guessing', () => {
    const [point] = parsePaste('\tinput\tabc\tf32\tbar\tx', 0);
    expect(pointErrors(point!)).toMatchObject({
      name: 'points.noName',
      address: 'points.addressWrong',
      factor: 'points.notANumber',
    });
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
    const point = pointOf(pointText(tag, 0), NOW);
    expect(point).toEqual({
      id: tag.id,
      name: 'Level',
      names: { fr: 'Niveau', 'zh-CN': '液位' },
      description: 'of the tank',
      unit: '%',
      data_type: 'u64',
      address: tag.source!.address,
      scaling: tag.source!.scaling,
      poll_ms: 500,
      write: { min: 0, max: 100, confirm: true },
      asset: '88.100/tank',
      grade: 'important',
      domain: 'production',
      range: { low: 0, high: 100 },
      labels: {},
    });
  });

  it('add to the history of a scaling', () => {
    const changed = pointOf({ ...pointText(tag, 0), factor: '3' }, NOW);
    expect(changed.scaling).toEqual([
      { effective: '2026-01-01T00:00:00Z', factor: 2, offset: 0 },
      { effective: '2026-11-23T08:00:00.000Z', factor: 3, offset: 0 },
    ]);
    const fresh = { ...emptyPoint(0), name: 'X', address: '1' };
    expect(pointOf(fresh, NOW)).toMatchObject({ scaling: [], data_type: 'u64' });
    expect(pointOf({ ...fresh, factor: '0.1' }, NOW)).toMatchObject({
      data_type: 'f64',
      scaling: [{ effective: '1970-01-01T00:00:00Z', factor: 0.1, offset: 0 }],
    });
  });

  it('refuse a broken scaling of a tag that holds whole numbers', () => {
    expect(pointErrors({ ...pointText(tag, 0), factor: '0.5' })).toEqual({ factor: 'points.integerTag' });
  });

  it('are checked before the node is asked', () => {
    const good = { ...emptyPoint(0), name: 'X', address: '65534', type: 'f32' as const };
    expect(pointErrors(good)).toEqual({});
    expect(pointErrors({ ...good, address: '65535' })).toEqual({ address: 'points.addressBeyond' });
    expect(pointErrors({ ...good, table: 'coil' })).toEqual({ type: 'points.typeWrong' });
    expect(pointErrors({ ...good, factor: '0', low: '5', high: '1', bit: '16', poll: '1' })).toEqual({
      factor: 'points.factorWrong',
      high: 'field.rangeWrong',
      bit: 'points.bitWrong',
      poll: 'points.pollWrong',
    });
  });

  it('are duplicated to the next address with the next number', () => {
    const next = duplicated(
      { ...emptyPoint(0), id: '1/x', name: 'Pump 09 speed', address: '8', type: 'f32' },
      5,
    );
    expect(next).toMatchObject({ key: 5, id: '', name: 'Pump 10 speed', address: '10' });
  });
});

describe('device form', () => {
  const device: Device = {
    id: '88.100/plc',
    name: 'PLC',
    names: { 'zh-CN': '控制器' },
    protocol: 'modbus',
    asset: null,
    settings: { host: '10.0.0.7', port: 502, registers_max: 60 },
    enabled: true,
    grade: 'core',
    own_grade: null,
    status: null,
    points: [tag],
    version: 2,
  };

  it('keeps settings it does not show', () => {
    const draft = deviceDraft(deviceText(device), device, NOW);
    expect(draft.settings).toMatchObject({
      host: '10.0.0.7',
      registers_max: 60,
      unit: 1,
      word_order: 'ABCD',
    });
    expect(draft).toMatchObject({
      name: 'PLC',
      names: { 'zh-CN': '控制器', en: 'PLC' },
      points: [{ id: tag.id }],
    });
    expect('id' in draft).toBe(false);
  });

  it('finds what is wrong, and needs no name for a test', () => {
    const text = { ...deviceText(), host: '', port: '70000', points: [] };
    expect(Object.keys(deviceErrors(text, true).fields)).toEqual(['host', 'port']);
    expect(Object.keys(deviceErrors(text, false).fields)).toEqual(['name', 'host', 'port']);
    const twice = [emptyPoint(0), emptyPoint(1)].map((point) => ({ ...point, name: 'Same', address: '1' }));
    expect(deviceErrors({ ...text, points: twice }, true).points.get(1)).toEqual({
      name: 'points.nameTwice',
    });
  });
});
