import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import en from './en';
import zh from './zh-CN';

const SOURCE = join(import.meta.dirname, '..');

function leaves(messages: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([name, value]) =>
      typeof value === 'string'
        ? [[prefix + name, value] as const]
        : [...leaves(value as object, `${prefix}${name}.`)],
    ),
  );
}

function sources(): string {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' });
  return files
    .filter(
      (file) => /\.tsx?$/.test(file) && !file.endsWith('.test.ts') && !/i18n[\\/](en|zh-CN)(-\w+)?\.ts$/.test(file),
    )
    .map((file) => readFileSync(join(SOURCE, file), 'utf8'))
    .join('\n');
}

const english = leaves(en);
const chinese = leaves(zh);
const text = sources();
// `level.${x}` and `problem.${x}.title` use every key of that shape.
const patterns = [...text.matchAll(/`([a-zA-Z][\w-]*(?:\.[\w-]+)*\.)\$\{[^}`]*\}((?:\.[\w-]+)*)`/g)].map(
  ([, before, after]) =>
    new RegExp(`^${before!.replaceAll('.', '\\.')}[^.]+${after!.replaceAll('.', '\\.')}$`),
);

describe('messages', () => {
  it('are there in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it('have the same placeholders in both languages', () => {
    const names = (message: string) => [...message.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();
    for (const [key, message] of english)
      expect([key, names(chinese.get(key) ?? '')]).toEqual([key, names(message)]);
  });

  it('are written in the language they are for', () => {
    for (const [key, message] of english)
      expect([key, /\p{Script=Han}/u.test(message)]).toEqual([key, false]);
    const sameInBoth = /^(Weir|Modbus TCP)/;
    for (const [key, message] of chinese) {
      if (!sameInBoth.test(message)) expect([key, /\p{Script=Han}/u.test(message)]).toEqual([key, true]);
    }
  });

  it('are all used', () => {
    const unused = [...english.keys()].filter(
      (key) => !text.includes(`'${key}'`) && !patterns.some((pattern) => pattern.test(key)),
    );
    expect(unused).toEqual([]);
  });

  it('are there for every key that is used', () => {
    const used = [...text.matchAll(/\bt\('([\w.-]+)'/g)].map(([, key]) => key!);
    expect(used.length).toBeGreaterThan(200);
    expect(used.filter((key) => !english.has(key))).toEqual([]);
  });

  it('name every problem code of the API', () => {
    const model = readFileSync(join(SOURCE, '../../crates/base/model/src/problem.rs'), 'utf8');
    const codes = [...model.matchAll(/^ {4}[A-Z]\w+ = "([a-z-]+)", \d{3}/gm)].map(([, code]) => code!);
    expect(codes.length).toBeGreaterThan(10);
    for (const code of codes) expect([...english.keys()]).toContain(`problem.${code}.title`);
  });
});
