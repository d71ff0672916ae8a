// The trend view's whole state as an address.
import { durationText, parseDuration } from '../format/time';

/** Most tags in one trend; more lines than colours cannot be told apart. */
export const TREND_TAGS_MAX = 12;
/** Shortest and longest span in seconds. */
export const SPAN_S_MIN = 1;
export const SPAN_S_MAX = 20 * 366 * 86_400;
/** The span when the address names none. */
export const SPAN_S_DEFAULT = 3_600;

export type Window =
  /** The last `seconds`, moving with the clock. */
  | { kind: 'live'; seconds: number }
  /** Fixed, in seconds since 1970. */
  | { kind: 'fixed'; from: number; to: number };

export interface TrendView {
  tags: string[];
  hidden: string[];
  window: Window;
}

export function parseTrend(search: URLSearchParams): TrendView {
  const tags = [...new Set(search.getAll('tag').filter(Boolean))].slice(0, TREND_TAGS_MAX);
  const hidden = search.getAll('hide').filter((tag) => tags.includes(tag));
  return { tags, hidden, window: parseWindow(search) };
}

function parseWindow(search: URLSearchParams): Window {
  const from = Date.parse(search.get('from') ?? '') / 1000;
  const to = Date.parse(search.get('to') ?? '') / 1000;
  if (Number.isFinite(from) && Number.isFinite(to) && to > from) return fixedWindow(from, to);
  const seconds = parseDuration(search.get('range') ?? '') ?? SPAN_S_DEFAULT;
  return { kind: 'live', seconds: clampSpan(seconds) };
}

/** The parameters that say this view. */
export function trendParameters(view: TrendView): Record<string, string | string[] | null> {
  const { window } = view;
  return {
    tag: view.tags,
    hide: view.hidden.length > 0 ? view.hidden : null,
    range: window.kind === 'live' ? durationText(window.seconds) : null,
    from: window.kind === 'fixed' ? isoSeconds(window.from) : null,
    to: window.kind === 'fixed' ? isoSeconds(window.to) : null,
  };
}

/** A fixed window that is neither too short nor too long. */
export function fixedWindow(from: number, to: number): Window {
  const middle = (from + to) / 2;
  const span = clampSpan(to - from);
  return span === to - from
    ? { kind: 'fixed', from, to }
    : { kind: 'fixed', from: middle - span / 2, to: middle + span / 2 };
}

/** The window's ends at `now`, all in seconds. */
export function windowEnds(window: Window, now: number): [number, number] {
  return window.kind === 'fixed' ? [window.from, window.to] : [now - window.seconds, now];
}

function clampSpan(seconds: number): number {
  return Math.min(SPAN_S_MAX, Math.max(SPAN_S_MIN, seconds));
}

/** RFC 3339 in UTC; whole seconds carry no decimals. */
export function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
