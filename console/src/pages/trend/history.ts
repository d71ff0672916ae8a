// The lines of a trend: history from the node, continued live.
import { useQueries } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { get, withId, withQuery } from '../../api/client';
import { nodeNow } from '../../api/clock';
import type { Sample } from '../../api/types';
import { useFollow } from '../../live/live';
import { isoSeconds, windowEnds, type Window } from '../../url/trend';
import { align, append, continued, EMPTY, seriesOf, type Aligned, type Series } from './series';

/** Points asked for lie between these, whatever the width. */
const POINTS_MIN = 200;
const POINTS_MAX = 4_000;
/** Widths that differ less ask for the same points, so that a resize does not ask again at each pixel. */
const POINTS_STEP = 100;
/** A live trend reads its history anew after this share of its span, within these bounds. */
const REFRESH_SHARE = 0.05;
const REFRESH_S_MIN = 15;
const REFRESH_S_MAX = 300;

export function pointsFor(pixels: number): number {
  return Math.min(POINTS_MAX, Math.max(POINTS_MIN, Math.ceil(pixels / POINTS_STEP) * POINTS_STEP));
}

export interface Lines {
  /** One a tag, in their order; empty while nothing is known. */
  series: Series[];
  /** The same on a common time axis. */
  data: Aligned;
  errors: Map<string, unknown>;
  loading: boolean;
  from: number;
  to: number;
  refetch: () => void;
}

/** `unit`: the UCUM code that all of them are wanted in; as they were measured where it is empty. */
export function useLines(tags: readonly string[], window: Window, pixels: number, unit = ''): Lines {
  const live = window.kind === 'live';
  const max_points = pointsFor(pixels);
  const queries = useQueries({
    queries: tags.map((tag) => ({
      queryKey: ['trend', tag, window, max_points, unit],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const [from, to] = windowEnds(window, nodeNow());
        const query = { from: isoSeconds(from), to: isoSeconds(to + 1), max_points, unit };
        const path = withQuery(withId('/tags', tag, '/samples'), query);
        return seriesOf((await get<{ samples: Sample[] }>(path, signal)).samples);
      },
      enabled: pixels > 0,
      staleTime: live ? 0 : 60_000,
      refetchInterval: live
        ? Math.min(REFRESH_S_MAX, Math.max(REFRESH_S_MIN, window.seconds * REFRESH_SHARE)) * 1000
        : (false as const),
    })),
  });

  // Points that came since the page stands, and the last lines shown: while another window is read,
  // the old lines stay on the screen.
  const tails = useRef(new Map<string, Series>());
  const shown = useRef(new Map<string, Series>());
  const shownUnit = useRef(unit);
  if (shownUnit.current !== unit) {
    shownUnit.current = unit;
    shown.current.clear();
  }
  const [, redraw] = useState(0);
  const [now, setNow] = useState(nodeNow);
  const planned = useRef(false);
  const plan = useCallback(() => {
    if (planned.current) return;
    planned.current = true;
    requestAnimationFrame(() => {
      planned.current = false;
      setNow(nodeNow());
      redraw((count) => count + 1);
    });
  }, []);
  const refetch = () => queries.forEach((query) => void query.refetch());
  // A tag that is not there would end the stream for all the others. What comes live is in the tag's own
  // unit: in another one only the history is read, again and again.
  const followed = live && !unit ? tags.filter((_tag, index) => queries[index]?.data !== undefined) : [];
  useFollow(followed, {
    sample: (sample) => {
      const tail = tails.current.get(sample.tag) ?? { times: [], values: [] };
      tails.current.set(sample.tag, tail);
      append(tail, sample);
      plan();
    },
    gap: refetch,
  });
  // Time goes on when no sample comes, too.
  useEffect(() => {
    if (!live) return;
    setNow(nodeNow());
    const timer = setInterval(() => setNow(nodeNow()), 1000);
    return () => clearInterval(timer);
  }, [live]);

  const errors = new Map<string, unknown>();
  const parts = tags.map((tag, index) => {
    const query = queries[index];
    if (query?.data) shown.current.set(tag, query.data);
    if (query?.error) errors.set(tag, query.error);
    return {
      history: shown.current.get(tag) ?? EMPTY,
      tail: live && !unit ? tails.current.get(tag) : undefined,
    };
  });
  // New arrays only when a point came: the crosshair moves far more often than that.
  const before = useRef<{ key: readonly unknown[]; series: Series[] }>({ key: [], series: [] });
  const key = parts.flatMap(({ history, tail }) => [history, tail?.times.at(-1)]);
  if (
    key.length !== before.current.key.length ||
    key.some((part, index) => part !== before.current.key[index])
  ) {
    before.current = {
      key,
      series: parts.map(({ history, tail }) => (tail ? continued(history, tail) : history)),
    };
  }
  const { series } = before.current;
  const data = useMemo(() => align(series), [series]);
  const [from, to] = windowEnds(window, now);
  return {
    series,
    data,
    errors,
    loading: queries.some((query) => query.isFetching && query.data === undefined),
    from,
    to,
    refetch,
  };
}
