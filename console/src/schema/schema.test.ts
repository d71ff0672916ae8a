import { describe, expect, it } from 'vitest';
import type { FieldSchema, ProtocolSchema } from '../api/protocols';
import { addressText, endpointText } from './address';
import { errorsOf, formOf, jsonOf, mergePatch, withoutSecrets, type FormValues } from './form';
import {
  choiceTitle,
  fieldsOf,
  grouped,
  kindOf,
  matters,
  textIn,
  titleOf,
  trustField,
  withTrusted,
} from './schema';

const PEM = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';

const settings: FieldSchema = {
  type: 'object',
  required: ['host', 'auth'],
  'x-order': ['host', 'port', 'auth', 'user', 'password', 'ca', 'rate', 'topics', 'on', 'limits', 'queries'],
  properties: {
    rate: { type: ['number', 'null'], minimum: 0, exclusiveMaximum: 10, 'x-advanced': true },
    port: { type: 'integer', minimum: 1, maximum: 65535, default: 502 },
    host: { type: 'string', minLength: 1, maxLength: 20, 'x-title': { en: 'Host', 'zh-CN': '主机' } },
    auth: {
      enum: ['none', 'user'],
      default: 'none',
      'x-enum-title': { user: { en: 'User and password', 'zh-CN': '用户名和密码' } },
    },
    user: { type: 'string', 'x-when': { auth: ['user'] } },
    password: { type: 'string', 'x-secret': true, 'x-when': { auth: ['user'] } },
    ca: { type: 'string', 'x-multiline': true },
    topics: { type: 'array', items: { type: 'string', maxLength: 5 }, maxItems: 2, default: [] },
    on: { type: 'boolean', default: true },
    limits: {
      type: 'object',
      required: ['kind'],
      properties: {
        kind: { enum: ['none', 'absolute'], default: 'none' },
        width: { type: 'number', exclusiveMinimum: 0, 'x-when': { kind: ['absolute'] } },
      },
    },
    queries: {
      type: 'array',
      items: {
        type: 'object',
        required: ['sql'],
        properties: { sql: { type: 'string' }, token: { type: 'string', 'x-secret': true } },
      },
    },
    slot: { type: ['integer', 'string', 'null'] },
    anything: {},
    trusted: { type: 'array', maxItems: 2, 'x-trust': true, items: { type: 'string' } },
  },
};

const filled = (values: FormValues): FormValues => ({ ...formOf(settings), host: 'plc', ...values });

describe('a schema', () => {
  it('tells the kinds of fields', () => {
    const kinds = Object.fromEntries(fieldsOf(settings).map(([name, field]) => [name, kindOf(field)]));
    expect(kinds).toEqual({
      host: 'text',
      port: 'integer',
      auth: 'choice',
      user: 'text',
      password: 'secret',
      ca: 'multiline',
      rate: 'number',
      topics: 'texts',
      on: 'truth',
      limits: 'group',
      queries: 'rows',
      slot: 'either',
      anything: 'json',
      trusted: 'trusted',
    });
    // What is nested deeper than a person can follow is edited as text.
    expect(kindOf(settings.properties!['limits']!, 9)).toBe('json');
  });

  it('orders its fields, and those that it forgot come last', () => {
    expect(fieldsOf(settings).map(([name]) => name)).toEqual([
      ...settings['x-order']!,
      'slot',
      'anything',
      'trusted',
    ]);
  });

  it('speaks the language of the reader, else English, else its own names', () => {
    const host = settings.properties!['host']!;
    expect(titleOf('host', host, 'zh-CN')).toBe('主机');
    expect(titleOf('host', host, 'de')).toBe('Host');
    expect(titleOf('rate', settings.properties!['rate']!, 'en')).toBe('rate');
    expect(textIn({ zh: '甲' }, 'zh-CN')).toBe('甲');
    const auth = settings.properties!['auth']!;
    expect([choiceTitle(auth, 'user', 'zh-CN'), choiceTitle(auth, 'none', 'en')]).toEqual([
      '用户名和密码',
      'none',
    ]);
  });

  it('says which fields matter, through fields that do not matter themselves', () => {
    expect(matters(settings, 'password', { auth: 'user' })).toBe(true);
    expect(matters(settings, 'password', {})).toBe(false);
    const chain: FieldSchema = {
      properties: {
        a: { enum: ['x', 'y'] },
        b: { enum: ['p', 'q'], default: 'p', 'x-when': { a: ['x'] } },
        c: { type: 'string', 'x-when': { b: ['p'] } },
        d: { type: 'string', 'x-when': { e: ['true'] } },
        e: { type: 'boolean' },
      },
    };
    expect(matters(chain, 'c', { a: 'x' })).toBe(true);
    expect(matters(chain, 'c', { a: 'y', b: 'p' })).toBe(false);
    expect(matters(chain, 'd', { e: true })).toBe(true);
  });

  it('keeps the list of trusted certificates within its bound', () => {
    expect(trustField(settings)).toBe('trusted');
    expect(withTrusted(settings, ['a', 'b'], 'c')).toEqual(['b', 'c']);
    expect(withTrusted(settings, ['a'], 'a')).toEqual(['a']);
    expect(grouped('0123456789ab')).toBe('0123 4567 89ab');
  });
});

describe('a form', () => {
  it('begins with the defaults and becomes JSON without what is empty', () => {
    const form = formOf(settings);
    expect(form).toMatchObject({ host: '', port: '502', auth: 'none', on: true, topics: '', trusted: [] });
    expect(jsonOf(settings, filled({}))).toEqual({
      host: 'plc',
      port: 502,
      auth: 'none',
      on: true,
      limits: { kind: 'none' },
      trusted: [],
    });
  });

  it('takes what was typed as what the field is', () => {
    const json = jsonOf(
      settings,
      filled({
        host: ' plc ',
        auth: 'user',
        user: 'me',
        password: ' s ',
        ca: PEM,
        rate: '1.5',
        topics: ' a \n\nb',
        on: false,
        slot: '3',
        anything: '{"x": [1]}',
        limits: { kind: 'absolute', width: '2' },
        queries: [{ sql: 'select 1', token: '' }],
      }),
    );
    expect(json).toMatchObject({
      host: 'plc',
      user: 'me',
      password: ' s ',
      ca: PEM,
      rate: 1.5,
      topics: ['a', 'b'],
      on: false,
      slot: 3,
      anything: { x: [1] },
      limits: { kind: 'absolute', width: 2 },
      queries: [{ sql: 'select 1' }],
    });
    expect(jsonOf(settings, filled({ slot: '0:9' }))['slot']).toBe('0:9');
  });

  it('gives back what it was given, what the schema does not know included', () => {
    const json = {
      host: 'plc',
      port: 502,
      auth: 'user',
      user: 'me',
      password: { secret: 'set' },
      on: true,
      topics: ['t'],
      rate: null,
      limits: { kind: 'none' },
      trusted: ['00'],
      later: { version: 2 },
    };
    expect(jsonOf(settings, formOf(settings, json), json)).toEqual(json);
  });

  it('leaves out what does not matter for the choices made', () => {
    expect('user' in jsonOf(settings, filled({ auth: 'none', user: 'me', password: 'x' }))).toBe(false);
  });

  it('keeps, replaces and clears secrets', () => {
    const before = { host: 'plc', auth: 'user', password: { secret: 'set' } };
    const with_ = (password: string) =>
      jsonOf(settings, { ...formOf(settings, before), password }, before);
    expect(jsonOf(settings, formOf(settings, before), before)['password']).toEqual({ secret: 'set' });
    expect(with_('new')['password']).toBe('new');
    expect(mergePatch(before, with_(''))['password']).toBeNull();
    expect(mergePatch(before, with_('new'))['password']).toBe('new');
    expect(mergePatch(before, jsonOf(settings, formOf(settings, before), before))['password']).toEqual({
      secret: 'set',
    });
  });

  it('is kept over a reload without its secrets', () => {
    const kept = withoutSecrets(settings, filled({ password: 'x', queries: [{ sql: 's', token: 't' }] }));
    expect(kept).toMatchObject({ host: 'plc', password: '', queries: [{ sql: 's', token: '' }] });
    const marker = { secret: 'set' };
    expect(withoutSecrets(settings, filled({ password: marker }))['password']).toEqual(marker);
  });

  it('says what is wrong before the node is asked', () => {
    const wrong = (values: FormValues) => Object.fromEntries(errorsOf(settings, filled(values)));
    expect(wrong({})).toEqual({});
    expect(wrong({ host: ' ' })).toEqual({ '/host': { key: 'field.required' } });
    expect(wrong({ port: '70000' })).toEqual({
      '/port': { key: 'field.bounds', values: { min: 1, max: 65535 } },
    });
    expect(wrong({ port: '1.5' })).toHaveProperty('/port');
    expect(wrong({ rate: '10' })).toMatchObject({ '/rate': { key: 'field.numberBounds' } });
    expect(wrong({ rate: 'abc' })).toHaveProperty('/rate');
    // Bytes count, not characters.
    expect(wrong({ host: '主机主机主机主' })).toMatchObject({ '/host': { key: 'field.tooLong' } });
    expect(wrong({ topics: 'a\nb\nc' })).toMatchObject({ '/topics': { key: 'field.tooMany' } });
    expect(wrong({ topics: 'toolong' })).toMatchObject({ '/topics': { key: 'field.tooLong' } });
    expect(wrong({ anything: '{' })).toEqual({ '/anything': { key: 'field.notJson' } });
    expect(wrong({ limits: { kind: 'absolute', width: '0' } })).toHaveProperty('/limits/width');
    expect(wrong({ limits: { kind: 'none', width: 'x' } })).toEqual({});
    expect(wrong({ queries: [{ sql: '', token: '' }] })).toEqual({
      '/queries/0/sql': { key: 'field.required' },
    });
  });

  it('becomes a merge patch in which what is gone is null', () => {
    expect(mergePatch({ a: 1, b: 2, c: { d: 1, e: 2 } }, { a: 1, c: { d: 3 } })).toEqual({
      a: 1,
      b: null,
      c: { d: 3, e: null },
    });
    expect(mergePatch({ list: [1, 2] }, { list: [2] })).toEqual({ list: [2] });
  });
});

describe('addresses on a line', () => {
  const address: FieldSchema = {
    required: ['table', 'address'],
    'x-order': ['table', 'address', 'type', 'bit', 'deadband'],
    properties: {
      table: { enum: ['holding'], 'x-enum-title': { holding: { en: 'Holding register' } } },
      address: { type: 'integer' },
      type: { enum: ['u16', 'f32'], default: 'u16' },
      bit: { type: ['integer', 'null'], 'x-title': { en: 'Bit' } },
      deadband: settings.properties!['limits']!,
    },
  };

  it('say what tells, and leave out what is as usual', () => {
    const text = (json: Parameters<typeof addressText>[0]) => addressText(json, address, 'en');
    expect(text({ table: 'holding', address: 0, type: 'f32', bit: null })).toBe('Holding register · 0 · f32');
    expect(text({ table: 'holding', address: 9, bit: 3, deadband: { kind: 'none' } })).toBe(
      'Holding register · 9 · Bit 3',
    );
    expect(addressText({ node: 'ns=2;s=Level' }, undefined, 'en')).toBe('ns=2;s=Level');
    expect(text(undefined)).toBe('');
  });

  it('name where a device is', () => {
    const schema = { settings } as ProtocolSchema;
    expect(endpointText({ host: '10.0.0.7' }, schema)).toBe('10.0.0.7:502');
    expect(endpointText({ host: '::1', port: 102 })).toBe('[::1]:102');
    expect(endpointText({ url: 'opc.tcp://press:4840', port: 1 })).toBe('opc.tcp://press:4840');
    expect(endpointText({ group: 'Plant' }, { settings: { required: ['group'] } } as ProtocolSchema)).toBe(
      'Plant',
    );
    expect(endpointText({})).toBe('');
  });
});
