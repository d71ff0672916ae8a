import { describe, expect, it } from 'vitest';
import type { ProtocolSchema } from '../api/protocols';
import type { Device, Point, Template } from '../api/types';
import { deviceDraft } from './draft';
import { commonSettings, relativeName, templateFile, templateInFile, templateOf, textOfTemplate } from './template';

const schema: ProtocolSchema = {
  title: 'Test',
  settings: {
    properties: {
      host: { type: 'string', 'x-own': true },
      broker: { enum: ['inside', 'outside'], default: 'outside' },
      unit: { type: 'integer', default: 1 },
      password: { type: 'string', 'x-secret': true },
      trusted: { type: 'array', items: { type: 'string' }, 'x-trust': true },
    },
    required: ['host'],
  },
  address: { properties: { address: { type: 'integer' } }, required: ['address'] },
  abilities: { discover: false, browse: false, write: true, call: false },
};

const point: Point = {
  id: '88.1/p1-speed',
  name: 'Pump 1 speed',
  names: { 'zh-CN': '1号泵转速', en: 'Pump 1 speed' },
  description: 'At the shaft',
  unit: '{rpm}',
  unit_symbol: null,
  data_type: 'enumeration',
  asset: '88.1/line',
  grade: 'general',
  own_grade: null,
  domain: null,
  range: { low: 0, high: 3000 },
  labels: { '0': 'off' },
  address: { address: 7 },
  scaling: [
    { effective: '2025-01-01T00:00:00Z', factor: 1, offset: 0 },
    { effective: '2026-01-01T00:00:00Z', factor: 0.5, offset: 1 },
  ],
  poll_ms: null,
  write: null,
  last: null,
  version: 3,
};

const device: Device = {
  id: '88.1/p1',
  name: 'Pump 1',
  names: { 'zh-CN': '1号泵' },
  protocol: 'test',
  asset: null,
  settings: { host: '10.0.0.1', broker: 'inside', unit: 4, password: { secret: 'set' }, trusted: ['aa'] },
  enabled: true,
  grade: 'general',
  own_grade: 'general',
  status: null,
  points: [point],
  version: 9,
};

describe('a template', () => {
  it('keeps what devices have in common', () => {
    expect(commonSettings(device.settings, schema)).toEqual({ broker: 'inside', unit: 4 });
  });

  it('names points without the device', () => {
    expect(relativeName('Pump 1 speed', ['Pump 1'])).toBe('speed');
    expect(relativeName('Pump 1: speed', ['Pump', 'pump 1'])).toBe('speed');
    expect(relativeName('Pump 10 speed', ['Pump 1'])).toBe('Pump 10 speed');
    expect(relativeName('1号泵转速', ['1号泵'])).toBe('转速');
    expect(relativeName('Pump 1', ['Pump 1'])).toBe('Pump 1');
    expect(relativeName('Speed', [''])).toBe('Speed');
  });

  it('makes a device again, whose points are named after it', () => {
    const input = templateOf(device, schema, ' feed ');
    const template: Template = { ...input, name: 'Pump', updated: '', version: 1 };
    expect(template.description).toBe('feed');
    const text = { ...textOfTemplate(template, schema), pair: { zh: '2号泵', en: 'Pump 2' } };
    text.settings = { ...text.settings, host: '10.0.0.2' };
    const draft = deviceDraft(text, schema, undefined, new Date());
    expect(draft.settings).toMatchObject({ host: '10.0.0.2', broker: 'inside', unit: 4 });
    expect(draft.grade).toBe('general');
    const [again] = draft.points;
    expect(again).toMatchObject({
      name: 'Pump 2 speed',
      names: { 'zh-CN': '2号泵 转速', en: 'Pump 2 speed' },
      description: 'At the shaft',
      data_type: 'enumeration',
      address: { address: 7 },
      labels: { '0': 'off' },
      interpolation: null,
      range: { low: 0, high: 3000 },
      asset: null,
    });
    expect(again).not.toHaveProperty('id');
    expect(deviceDraft({ ...text, prefixed: false }, schema, undefined, new Date()).points[0]!.name).toBe('speed');
  });

  it('travels as a file', () => {
    const input = templateOf(device, schema, '');
    const file = templateFile({ ...input, name: '泵', updated: '', version: 1 });
    expect(templateInFile(file)).toEqual({ name: '泵', input });
    for (const wrong of ['', '[]', 'null', '{"name":"x"}', '{"weir":"device-template"}'])
      expect(templateInFile(wrong)).toBeUndefined();
  });
});
