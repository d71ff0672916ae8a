import type { ReactNode } from 'react';
import { Icon } from './Icon';

interface SortHeadProps {
  label: string;
  column: string;
  /** `column` or `-column`. */
  sort: string;
  onSort: (sort: string) => void;
  className?: string;
  /** The direction of `column`, where there is no other. */
  oneWay?: 'descending';
}

/** A column's head that sorts. */
export function SortHead({ label, column, sort, onSort, className, oneWay }: SortHeadProps) {
  const on = sort === `-${column}` || sort === column;
  const down = oneWay ? on : sort === `-${column}`;
  return (
    <th scope="col" className={className} aria-sort={on ? (down ? 'descending' : 'ascending') : undefined}>
      <button
        type="button"
        className="sort"
        onClick={() => onSort(on && !down && !oneWay ? `-${column}` : column)}
      >
        {label}
        {on ? <Icon name={down ? 'down' : 'up'} size={12} /> : null}
      </button>
    </th>
  );
}

/** Compares by a key in the direction that `sort` says; numbers by size, texts as people sort them. */
export function sorted<T>(
  items: readonly T[],
  sort: string,
  keys: Record<string, (item: T) => string | number>,
): T[] {
  const down = sort.startsWith('-');
  const key = keys[down ? sort.slice(1) : sort];
  if (!key) return [...items];
  // A key is made once, and the order of texts too: each takes longer than a comparison.
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  const order = items
    .map((item) => ({ item, key: key(item) }))
    .sort(({ key: x }, { key: y }) =>
      typeof x === 'number' && typeof y === 'number' ? x - y : compare(String(x), String(y)),
    )
    .map(({ item }) => item);
  return down ? order.reverse() : order;
}

/** A table that scrolls sideways on its own, never the page. */
export function TableBox({ children, label }: { children: ReactNode; label: string }) {
  return (
    // Focusable, so that the keyboard can scroll it.
    <div className="table-box" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
