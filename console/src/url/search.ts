// The part of a page's state that its address holds.
import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';

export type Patch = Record<string, string | readonly string[] | null | undefined>;

// What RFC 3986 allows in a query stays readable: `?id=88.100/reactor.pressure`.
function encode(text: string): string {
  return encodeURIComponent(text).replace(/%(2F|3A|2C|40)/g, decodeURIComponent);
}

/** A query from pairs, in their order, without the empty ones. */
export function queryOf(pairs: Iterable<readonly [string, string]>): string {
  const parts = [...pairs]
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}=${encode(value)}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}

/** An address inside the console. */
export function href(path: string, parameters: Patch = {}): string {
  return path + queryOf(pairsOf(parameters));
}

function pairsOf(patch: Patch): [string, string][] {
  return Object.entries(patch).flatMap(([name, value]) =>
    value === null || value === undefined
      ? []
      : typeof value === 'string'
        ? [[name, value] as [string, string]]
        : value.map((one): [string, string] => [name, one]),
  );
}

/** The parameters with some set, replaced or (null, empty) taken out. */
export function patched(search: URLSearchParams, patch: Patch): [string, string][] {
  const kept = [...search.entries()].filter(([name]) => !(name in patch));
  return [...kept, ...pairsOf(patch)];
}

/** The address's parameters, and a way to change some. `replace` leaves no step for "back". */
export function useSearchState(): [URLSearchParams, (patch: Patch, replace?: boolean) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const parameters = useMemo(() => new URLSearchParams(search), [search]);
  const set = useCallback(
    (patch: Patch, replace = false) => {
      // Read anew: two changes in one event must not undo each other.
      const now = new URLSearchParams(window.location.search);
      navigate(path + queryOf(patched(now, patch)), { replace });
    },
    [navigate, path],
  );
  return [parameters, set];
}
