// What differs between two versions of a record.

export interface FieldChange {
  path: string;
  before: unknown;
  after: unknown;
}

/** Deepest nesting compared field by field; below it a value is compared as a whole. */
const DEPTH_MAX = 6;

/** The fields that changed, by dotted path. */
export function changesBetween(before: unknown, after: unknown): FieldChange[] {
  const changes: FieldChange[] = [];
  const walk = (a: unknown, b: unknown, path: string, depth: number): void => {
    if (JSON.stringify(a) === JSON.stringify(b)) return;
    if (depth < DEPTH_MAX && isObject(a) && isObject(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
        walk(a[key], b[key], path ? `${path}.${key}` : key, depth + 1);
      }
      return;
    }
    changes.push({ path, before: a, after: b });
  };
  walk(before, after, '', 0);
  return changes;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field's value on one line. */
export function oneLine(value: unknown): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
