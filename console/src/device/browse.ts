// What a device offers, as a tree that is loaded where it is unfolded.
import type { BrowseItem } from '../api/types';

/** Most things held at once; what a device offers may be without end. */
export const NODES_MAX = 20_000;
/** The place of the root. */
export const ROOT = '';

export interface Branch {
  items: BrowseItem[];
  /** Where to go on for the rest. */
  next: string | null;
  loading: boolean;
  error: unknown;
}
/** Branches by the place they hang below. */
export type Branches = ReadonlyMap<string, Branch>;

export const UNLOADED: Branch = { items: [], next: null, loading: false, error: undefined };

/** A row of the tree on the screen: a thing, or what is to be said below one. */
export type BrowseRow =
  | { kind: 'item'; item: BrowseItem; path: readonly string[]; depth: number; expanded: boolean }
  | { kind: 'loading'; at: string; depth: number }
  | { kind: 'more'; at: string; depth: number }
  | { kind: 'empty'; at: string; depth: number }
  | { kind: 'failed'; at: string; depth: number; error: unknown };

/** Deepest unfolding; devices may offer circles. */
const DEPTH_MAX = 24;

/** The rows: what is unfolded, or, when searching, what matches and what leads there, of what is loaded. */
export function browseRows(branches: Branches, unfolded: ReadonlySet<string>, query: string): BrowseRow[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const hit = (item: BrowseItem) => {
    const text = `${item.name} ${item.description} ${JSON.stringify(item.address ?? '')}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const walk = (at: string, path: readonly string[], depth: number, above: ReadonlySet<string>): BrowseRow[] => {
    const branch = branches.get(at);
    if (!branch || depth > DEPTH_MAX) return [];
    const rows: BrowseRow[] = [];
    for (const item of branch.items) {
      const inner = [...path, item.name];
      const circle = above.has(item.at);
      const loaded = item.expandable && branches.has(item.at) && !circle;
      if (words.length > 0) {
        const below = loaded ? walk(item.at, inner, depth + 1, new Set([...above, item.at])) : [];
        if (!hit(item) && below.length === 0) continue;
        rows.push({ kind: 'item', item, path, depth, expanded: below.length > 0 }, ...below);
        continue;
      }
      const expanded = item.expandable && unfolded.has(item.at) && !circle;
      rows.push({ kind: 'item', item, path, depth, expanded });
      if (expanded) rows.push(...walk(item.at, inner, depth + 1, new Set([...above, item.at])));
    }
    if (words.length > 0) return rows;
    if (branch.loading) rows.push({ kind: 'loading', at, depth });
    else if (branch.error) rows.push({ kind: 'failed', at, depth, error: branch.error });
    else if (branch.next !== null) rows.push({ kind: 'more', at, depth });
    else if (branch.items.length === 0) rows.push({ kind: 'empty', at, depth });
    return rows;
  };
  return walk(ROOT, [], 0, new Set([ROOT]));
}

/** Values below a place, of what is loaded, with the way down to each. */
export function valuesBelow(
  branches: Branches,
  at: string,
  path: readonly string[],
): { item: BrowseItem; path: readonly string[] }[] {
  const found: { item: BrowseItem; path: readonly string[] }[] = [];
  const seen = new Set<string>([at]);
  const walk = (place: string, way: readonly string[], depth: number): void => {
    for (const item of branches.get(place)?.items ?? []) {
      if (item.address) found.push({ item, path: way });
      // What hangs below a value describes it: its range, its unit.
      else if (item.expandable && depth < DEPTH_MAX && !seen.has(item.at)) {
        seen.add(item.at);
        walk(item.at, [...way, item.name], depth + 1);
      }
    }
  };
  walk(at, path, 0);
  return found;
}

/** How many things are loaded. */
export function loadedCount(branches: Branches): number {
  let count = 0;
  for (const branch of branches.values()) count += branch.items.length;
  return count;
}

/** A value is known by its address. */
export function addressKey(item: Pick<BrowseItem, 'address'>): string {
  return JSON.stringify(item.address);
}

/** Longest name that is made of what a device says, in characters and in bytes of UTF-8; a number still fits behind it. */
const NAME_CHARACTERS_MAX = 120;
const NAME_BYTES_MAX = 240;

/** What no name has: control characters, those that turn the direction of writing, halves of characters. */
const UNFIT = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069\p{Cs}]+/gu;

/** The name that a device gives, as a tag may have it; empty where nothing is left of it. */
export function fitName(name: string): string {
  // What lies beyond is cut off anyway, and a device may send a book.
  const whole = name.slice(0, 4 * NAME_BYTES_MAX).replace(UNFIT, ' ').replace(/\s+/gu, ' ').trim();
  let fit = '';
  let bytes = 0;
  for (const character of [...whole].slice(0, NAME_CHARACTERS_MAX)) {
    bytes += new TextEncoder().encode(character).length;
    if (bytes > NAME_BYTES_MAX) break;
    fit += character;
  }
  return fit.trim();
}

/**
 * A name for a value that no other has: its own, else with as much of the way to it as tells it
 * apart, else with a number.
 */
export function nameFor(item: BrowseItem, path: readonly string[], taken: ReadonlySet<string>): string {
  const free = (name: string) => !taken.has(name.toLowerCase());
  for (let parents = 0; parents <= path.length; parents++) {
    const name = fitName([...path.slice(path.length - parents), item.name].join(' '));
    if (name && free(name)) return name;
  }
  const base = fitName(item.name) || '1';
  for (let number = 2; ; number++) if (free(`${base} ${number}`)) return `${base} ${number}`;
}
