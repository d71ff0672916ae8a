import { describe, expect, it } from 'vitest';
import { summarize } from './audit/event';
import { changesBetween, oneLine } from './tag/changes';

describe('audit events', () => {
  it('are told in a few words, the thing itself first', () => {
    const change = (collection: string, key: string, version: number, op = 'put') => ({
      tenant: 1,
      collection,
      key,
      version,
      op,
    });
    const event = {
      position: 3,
      changes: [
        change('identifiers', '1/a', 1),
        change('tags', '1/a', 2),
        change('devices', '1/d', 1),
        change('tokens', 't', 2, 'delete'),
      ],
    };
    const summary = summarize({ kind: 'change', event });
    expect(summary).toMatchObject({ kind: 'change', text: '' });
    expect(summary.objects.map(({ op, collection }) => `${op} ${collection}`)).toEqual([
      'created devices',
      'deleted tokens',
      'changed tags',
      'created identifiers',
    ]);
    expect(summarize({ kind: 'sign_in', event: { user: 'li', ok: false, reason: null } })).toEqual({
      kind: 'sign_in',
      objects: [],
      text: 'user: li, ok: false',
    });
    expect(summarize({ kind: 'note', event: { text: 'restarted' } }).text).toBe('restarted');
  });

  it('of a newer node are shown as they are', () => {
    expect(summarize({ kind: 'publication', event: { to: ['all'] } })).toEqual({
      kind: undefined,
      objects: [],
      text: 'to: ["all"]',
    });
    expect(summarize({ kind: 'note', event: null }).text).toBe('');
  });
});

describe('versions', () => {
  it('differ field by field', () => {
    const before = { name: 'A', names: { en: 'A' }, range: null, list: [1] };
    const after = { name: 'B', names: { en: 'A', zh: '甲' }, range: { low: 0 }, list: [1] };
    expect(changesBetween(before, after)).toEqual([
      { path: 'name', before: 'A', after: 'B' },
      { path: 'names.zh', before: undefined, after: '甲' },
      { path: 'range', before: null, after: { low: 0 } },
    ]);
    expect([undefined, null, 'x', { a: 1 }].map(oneLine)).toEqual(['–', '–', 'x', '{"a":1}']);
  });
});
