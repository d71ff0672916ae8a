// What several pages ask for.
import { keepPreviousData, useInfiniteQuery, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { get, getAll, getVersioned, withId, withQuery, type Parameters, type Versioned } from './client';
import type { Asset, Device, MqttClients, OpcUaClients, Overview, Page, Tag } from './types';
import type { Abilities, Protocol, ProtocolSchema } from './protocols';

/** How often states that no stream carries are asked for again. */
export const REFRESH_MS = 5_000;
/** Most assets in the tree. */
const ASSETS_MAX = 5_000;
/** Most devices in the list; a plant with more is searched. */
export const DEVICES_MAX = 10_000;
/** Devices beyond which the list is asked for less often. */
const DEVICES_FEW = 500;
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

export interface DeviceFilter {
  q?: string;
  state?: string;
  protocol?: string;
}

export function useDevices(
  refresh = false,
  filter: DeviceFilter = {},
): UseQueryResult<{ items: Device[]; more: boolean }> {
  return useQuery({
    queryKey: ['devices', 'list', filter],
    queryFn: ({ signal }) => getAll<Device>('/devices', { ...filter }, DEVICES_MAX, signal),
    staleTime: REFRESH_MS,
    // What was found stays on the screen while other words are typed.
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      refresh && (state.data?.items.length ?? 0) <= DEVICES_FEW ? REFRESH_MS : refresh && 4 * REFRESH_MS,
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

/** The clients of the node's MQTT broker, and the broker. */
export function useMqttClients(filter: { q: string; connected: string }) {
  return useInfiniteQuery({
    queryKey: ['mqtt', 'clients', filter],
    queryFn: ({ signal, pageParam }) =>
      get<MqttClients>(withQuery('/mqtt/clients', { ...filter, limit: PAGE_LIMIT, cursor: pageParam }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  });
}

/** The node's OPC UA server, its clients and their sessions. */
export function useOpcUaClients(): UseQueryResult<OpcUaClients> {
  return useQuery({
    queryKey: ['opcua', 'clients'],
    queryFn: ({ signal }) => get<OpcUaClients>('/opcua/clients', signal),
    refetchInterval: REFRESH_MS,
  });
}

interface ProtocolAnswer {
  protocol: string;
  schema: Omit<ProtocolSchema, 'abilities'>;
  abilities: Abilities;
}

/** The protocols that the node speaks; they change with its program only. */
export function useProtocols(): UseQueryResult<Protocol[]> {
  return useQuery({
    queryKey: ['protocols'],
    queryFn: async ({ signal }) => {
      const answered = await get<ProtocolAnswer[]>('/protocols', signal);
      return answered.map(({ protocol, schema, abilities }) => ({
        protocol,
        schema: { ...schema, abilities },
      }));
    },
    staleTime: Infinity,
  });
}
