// Aggregates of a tag, read from the node.
import { keepPreviousData, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { get, withId, withQuery } from '../../../api/client';
import { nodeNow } from '../../../api/clock';
import { toSeconds } from '../../../format/time';
import { isoSeconds, windowEnds, type Window } from '../../../url/trend';
import type { Series } from '../../trend/series';
import { offsetText, widthText, type AggregateFunction } from './intervals';

export type AggregateRow = { time: string } & { [name in AggregateFunction]?: number | null };

export interface Asked {
  tag: string;
  window: Window;
  /** Seconds; none for one row of the whole range. */
  width: number | undefined;
  functions: readonly AggregateFunction[];
  unit: string;
}

/** A live table is read anew after this share of its interval, within these bounds. */
const REFRESH_SHARE = 0.2;
const REFRESH_S: readonly [number, number] = [5, 300];

/** The address of the rows, up to now where the window is live. */
export function aggregatesPath({ tag, window, width, functions, unit }: Asked): string {
  const [from, to] = windowEnds(window, nodeNow());
  return withQuery(withId('/tags', tag, '/aggregates'), {
    from: isoSeconds(from),
    to: isoSeconds(to),
    width: width === undefined ? null : widthText(width),
    offset: offsetText(new Date(to * 1000).getTimezoneOffset()),
    functions: functions.join(','),
    unit,
  });
}

export function useAggregates(asked: Asked): UseQueryResult<AggregateRow[]> {
  const { window, width } = asked;
  const every = Math.min(REFRESH_S[1], Math.max(REFRESH_S[0], (width ?? REFRESH_S[1]) * REFRESH_SHARE));
  return useQuery({
    queryKey: ['aggregates', asked],
    queryFn: async ({ signal }) =>
      (await get<{ aggregates: AggregateRow[] }>(aggregatesPath(asked), signal)).aggregates,
    // What was read stays on the screen while another interval is.
    placeholderData: keepPreviousData,
    refetchInterval: window.kind === 'live' ? every * 1000 : false,
  });
}

/** One aggregate as a line of steps that ends where the range does. */
export function seriesOfRows(rows: readonly AggregateRow[], name: AggregateFunction, to: number): Series {
  const times = rows.map((row) => toSeconds(row.time));
  const values = rows.map((row) => row[name] ?? null);
  const end = times.at(-1);
  if (end !== undefined && to > end) {
    times.push(to);
    values.push(values.at(-1) ?? null);
  }
  return { times, values };
}
