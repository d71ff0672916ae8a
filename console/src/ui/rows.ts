// Only the rows in sight are in the document, however long the list.
import { useEffect, useState, useSyncExternalStore, type RefObject } from 'react';

/** Rows kept above and below what is seen, so that scrolling shows no blanks. */
const OVERSCAN_ROWS = 8;

export interface RowWindow {
  first: number;
  /** Behind the last one. */
  end: number;
}

/** Which of `count` rows of `height` a view of `viewHeight` shows when the list starts at `top`. */
export function rowWindow(top: number, viewHeight: number, height: number, count: number): RowWindow {
  const first = Math.floor(-top / height) - OVERSCAN_ROWS;
  const end = Math.ceil((viewHeight - top) / height) + OVERSCAN_ROWS;
  const bounded = (n: number) => Math.min(count, Math.max(0, n));
  return { first: bounded(first), end: bounded(end) };
}

/** Follows the scrolling of the page, and of whatever scrolls the list within it. */
export function useRowWindow(body: RefObject<HTMLElement | null>, count: number, height: number): RowWindow {
  const [view, setView] = useState<RowWindow>({ first: 0, end: Math.min(count, 30) });
  useEffect(() => {
    let planned = false;
    const look = () => {
      planned = false;
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const next = rowWindow(top, window.innerHeight, height, count);
      setView((now) => (now.first === next.first && now.end === next.end ? now : next));
    };
    const plan = () => {
      if (planned) return;
      planned = true;
      requestAnimationFrame(look);
    };
    look();
    window.addEventListener('scroll', plan, { passive: true, capture: true });
    window.addEventListener('resize', plan);
    return () => {
      window.removeEventListener('scroll', plan, { capture: true });
      window.removeEventListener('resize', plan);
    };
  }, [body, count, height]);
  return view;
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = window.matchMedia(query);
      media.addEventListener('change', changed);
      return () => media.removeEventListener('change', changed);
    },
    () => window.matchMedia(query).matches,
  );
}

/** Narrower than this, tables become cards; the style sheets use the same number. */
export const NARROW = '(max-width: 760px)';
