// Loading what a device offers, branch by branch.
import { useCallback, useEffect, useRef, useState } from 'react';
import { post } from '../api/client';
import type { BrowseItem, JsonObject } from '../api/types';
import { loadedCount, NODES_MAX, ROOT, UNLOADED, type Branch, type Branches } from './browse';

interface Found {
  items: BrowseItem[];
  next: string | null;
}

export interface BrowsePlace {
  protocol: string;
  settings: JsonObject;
  /** The device whose kept secrets are used. */
  device?: string | undefined;
}

export interface Browsing {
  branches: Branches;
  /** Loads what hangs below a place, or the rest of it; answers with all that is there then. */
  load: (at: string) => Promise<BrowseItem[]>;
  /** Begins anew at the root. */
  again: () => void;
  full: boolean;
}

export function useBrowsing(place: BrowsePlace): Browsing {
  const [branches, setBranches] = useState<Branches>(new Map());
  const now = useRef<Map<string, Branch>>(new Map());
  const stop = useRef<AbortController>(undefined);
  const where = useRef(place);
  // Who asks for what is under way waits for it.
  const pending = useRef<Map<string, Promise<BrowseItem[]>>>(new Map());
  const key = JSON.stringify(place);

  const set = useCallback((at: string, branch: Branch) => {
    now.current = new Map(now.current).set(at, branch);
    setBranches(now.current);
  }, []);
  const fetchBranch = useCallback(
    async (at: string): Promise<BrowseItem[]> => {
      const before = now.current.get(at) ?? UNLOADED;
      const started = now.current.has(at) && before.error === undefined;
      if (started && before.next === null) return before.items;
      if (loadedCount(now.current) >= NODES_MAX) return before.items;
      const signal = stop.current?.signal;
      set(at, { ...before, loading: true, error: undefined });
      // The rest of a page is asked for by the token that came with it.
      const token = before.next ?? (at === ROOT ? null : at);
      try {
        const { protocol, settings, device } = where.current;
        const body = { protocol, settings, ...(token === null ? {} : { at: token }), ...(device ? { device } : {}) };
        const found = await post<Found>('/devices/browse', body, signal);
        if (signal?.aborted) return found.items;
        const known = new Set(before.items.map((item) => item.at));
        const items = [...before.items, ...found.items.filter((item) => !known.has(item.at))];
        // A token that leads back to itself would never end.
        const next = found.next !== token ? found.next : null;
        set(at, { items, next, loading: false, error: undefined });
        return items;
      } catch (error) {
        if (!signal?.aborted) set(at, { ...before, loading: false, error });
        return before.items;
      }
    },
    [set],
  );
  const load = useCallback(
    (at: string): Promise<BrowseItem[]> => {
      const under = pending.current.get(at);
      if (under) return under;
      const begun = fetchBranch(at).finally(() => {
        if (pending.current.get(at) === begun) pending.current.delete(at);
      });
      pending.current.set(at, begun);
      return begun;
    },
    [fetchBranch],
  );
  const again = useCallback(() => {
    stop.current?.abort();
    stop.current = new AbortController();
    now.current = new Map();
    pending.current = new Map();
    setBranches(now.current);
    void load(ROOT);
  }, [load]);
  useEffect(() => {
    where.current = JSON.parse(key) as BrowsePlace;
    again();
    return () => stop.current?.abort();
  }, [key, again]);
  return { branches, load, again, full: loadedCount(branches) >= NODES_MAX };
}
