// What was typed into a form survives errors, reloads and a look at another page.
import { useCallback, useEffect, useRef, useState } from 'react';

const PREFIX = 'weir.draft.';
/** Largest draft kept, in characters; a browser gives a page about five million in all. */
const DRAFT_LENGTH_MAX = 1_000_000;

export interface Draft<T> {
  value: T;
  change: (next: T | ((now: T) => T)) => void;
  /** Whether it was brought back from an earlier visit. */
  restored: boolean;
  /** Forgets what was typed: after saving, or to start anew. */
  discard: (initial: T) => void;
  forget: () => void;
}

export function readDraft<T>(key: string): T | undefined {
  try {
    const text = sessionStorage.getItem(PREFIX + key);
    return text ? (JSON.parse(text) as T) : undefined;
  } catch {
    return undefined;
  }
}

function writeDraft(key: string, value: unknown): void {
  try {
    const text = JSON.stringify(value);
    if (text.length <= DRAFT_LENGTH_MAX) sessionStorage.setItem(PREFIX + key, text);
  } catch {
    // A full or forbidden storage only costs the convenience.
  }
}

export function forgetDraft(key: string): void {
  try {
    sessionStorage.removeItem(PREFIX + key);
  } catch {
    // As above.
  }
}

/**
 * State that is kept in the session's storage under `key` from the first change on. What is kept may
 * be less than what was typed: passwords stay out of it.
 */
export function useDraft<T>(key: string, initial: T, kept?: (value: T) => T): Draft<T> {
  const [{ value, touched, restored }, set] = useState(() => {
    const before = readDraft<T>(key);
    return { value: before ?? initial, touched: false, restored: before !== undefined };
  });
  const keep = useRef(kept);
  useEffect(() => {
    keep.current = kept;
  });
  useEffect(() => {
    if (touched) writeDraft(key, keep.current ? keep.current(value) : value);
  }, [key, touched, value]);
  const change = useCallback((next: T | ((now: T) => T)) => {
    set((now) => ({
      ...now,
      value: typeof next === 'function' ? (next as (now: T) => T)(now.value) : next,
      touched: true,
    }));
  }, []);
  const discard = useCallback(
    (fresh: T) => {
      forgetDraft(key);
      set({ value: fresh, touched: false, restored: false });
    },
    [key],
  );
  const forget = useCallback(() => {
    forgetDraft(key);
    set((now) => ({ ...now, touched: false, restored: false }));
  }, [key]);
  return { value, change, restored, discard, forget };
}
