// What several pages ask for.
import { useInfiniteQuery, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { get, getAll, getVersioned, withId, withQuery, type Parameters, type Versioned } from './client';
import type { Asset, Device, Overview, Page, Tag } from './types';

/** How often states that no stream carries are asked for again. */
export const REFRESH_MS = 5_000;
/** Most assets in the tree. */
const ASSETS_MAX = 5_000;
/** Most devices in the list. */
const DEVICES_MAX = 2_000;
/** Rows of one page of a long list. */
export const PAGE_LIMIT = 100;

export function useOverview(): UseQueryResult<Overview> {
  return useQuery({
    queryKey: ['overview'],
    queryFn: ({ signal }) => get<Overview>('/overview', signal),
    refetchInterval: REFRESH_MS,
  });
}

export interface AssetList {
  items: Asset[];
  more: boolean;
  byId: Map<string, Asset>;
}

export function useAssets(refresh = false): UseQueryResult<AssetList> {
  return useQuery({
    queryKey: ['assets'],
    queryFn: async ({ signal }) => {
      const list = await getAll<Asset>('/assets', {}, ASSETS_MAX, signal);
      return { ...list, byId: new Map(list.items.map((asset) => [asset.id, asset])) };
    },
    staleTime: REFRESH_MS,
    refetchInterval: refresh ? REFRESH_MS : false,
  });
}

export function useDevices(refresh = false): UseQueryResult<{ items: Device[]; more: boolean }> {
  return useQuery({
    queryKey: ['devices'],
    queryFn: ({ signal }) => getAll<Device>('/devices', {}, DEVICES_MAX, signal),
    staleTime: REFRESH_MS,
    refetchInterval: refresh ? REFRESH_MS : false,
  });
}

export function useDevice(id: string, refresh = false): UseQueryResult<Versioned<Device>> {
  return useQuery({
    queryKey: ['devices', id],
    queryFn: ({ signal }) => getVersioned<Device>(withId('/devices', id), signal),
    enabled: id !== '',
    refetchInterval: refresh ? REFRESH_MS : false,
  });
}

export function useTag(id: string): UseQueryResult<Versioned<Tag>> {
  return useQuery({
    queryKey: ['tags', 'one', id],
    queryFn: ({ signal }) => getVersioned<Tag>(withId('/tags', id), signal),
    enabled: id !== '',
  });
}

/** A long list, page after page. */
export function usePages<T>(path: string, parameters: Parameters, refreshMs: number | false = false) {
  return useInfiniteQuery({
    queryKey: [path.slice(1), 'pages', parameters],
    queryFn: ({ signal, pageParam }) =>
      get<Page<T>>(withQuery(path, { limit: PAGE_LIMIT, ...parameters, cursor: pageParam }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: refreshMs,
  });
}
