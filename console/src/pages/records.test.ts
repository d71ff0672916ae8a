import { describe, expect, it } from 'vitest';
import { summarize } from './audit/event';
import { changesBetween, oneLine } from './tag/changes';

describe('audit events', () => {
  it('are told in a few words', () => {
    const change = summarize({ change: { position: 3, changes: [{ tenant: 1, collection: 'tags', key: '1/a', version: 2, op: 'put' }] } });
    expect(change).toMatchObject({ kind: 'change', objects: [{ op: 'put', collection: 'tags', key: '1/a' }] });
    expect(summarize({ sign_in: { user: 'li', ok: false } })).toMatchObject({ kind: 'sign-in', content: { user: 'li', ok: false }, objects: [] });
    expect(summarize({ kind: 'refusal', action: 'tag:write' })).toMatchObject({ kind: 'refusal', content: { action: 'tag:write' } });
  });

  it('of a newer node are shown under their own name', () => {
    expect(summarize({ publication: { to: 'all' } })).toMatchObject({ kind: undefined, name: 'publication' });
    expect(summarize(null)).toMatchObject({ kind: undefined, name: '' });
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
