// Moving through time by hand: wheel, Shift and drag, one finger, two fingers.
import type uPlot from 'uplot';

export interface Moves {
  /** Shows another window while the hand still moves. */
  preview: (from: number, to: number) => void;
  /** The hand has come to rest: this is the window. */
  commit: (from: number, to: number) => void;
}

/** How much one wheel step zooms. */
const WHEEL_ZOOM = 1.25;
/** When no wheel step has come for this long, the window stands. */
const WHEEL_REST_MS = 250;

/** The window after zooming by `factor` around `centre`. */
export function zoomed(from: number, to: number, centre: number, factor: number): [number, number] {
  return [centre - (centre - from) * factor, centre + (to - centre) * factor];
}

/** Listens on the chart; returns what stops it. */
export function listen(chart: uPlot, moves: Moves): () => void {
  const { over } = chart;
  const span = (): [number, number] => [chart.scales['x']!.min ?? 0, chart.scales['x']!.max ?? 1];
  const timeAt = (clientX: number) => chart.posToVal(clientX - over.getBoundingClientRect().left, 'x');
  let resting: ReturnType<typeof setTimeout> | undefined;

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const [from, to] = span();
    const next: [number, number] =
      Math.abs(event.deltaX) > Math.abs(event.deltaY)
        ? shifted(from, to, (event.deltaX / over.clientWidth) * (to - from))
        : zoomed(from, to, timeAt(event.clientX), event.deltaY > 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM);
    moves.preview(...next);
    clearTimeout(resting);
    resting = setTimeout(() => moves.commit(...next), WHEEL_REST_MS);
  };

  // Pointers that are down, by id: where each one is.
  const pointers = new Map<number, number>();
  let start: { window: [number, number]; at: number[]; moved: boolean } | undefined;
  let now: [number, number] | undefined;
  const begin = () => {
    start =
      pointers.size > 0
        ? { window: span(), at: [...pointers.values()], moved: start?.moved ?? false }
        : undefined;
  };
  const down = (event: PointerEvent) => {
    const pans =
      event.pointerType === 'touch' || event.button === 1 || (event.button === 0 && event.shiftKey);
    if (!pans || pointers.size >= 2) return;
    event.preventDefault();
    over.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.clientX);
    begin();
  };
  const move = (event: PointerEvent) => {
    if (!start || !pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, event.clientX);
    now = dragged(start.window, start.at, [...pointers.values()], over.getBoundingClientRect());
    if (Math.abs(event.clientX - (start.at[0] ?? 0)) > 4) start.moved = true;
    if (start.moved) moves.preview(...now);
  };
  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    const moved = start?.moved ?? false;
    if (pointers.size > 0) {
      begin();
      return;
    }
    start = undefined;
    if (moved && now) moves.commit(...now);
    else if (!moved) chart.setCursor({ left: event.clientX - over.getBoundingClientRect().left, top: 0 });
    now = undefined;
  };
  over.addEventListener('wheel', wheel, { passive: false });
  over.addEventListener('pointerdown', down);
  over.addEventListener('pointermove', move);
  over.addEventListener('pointerup', up);
  over.addEventListener('pointercancel', up);
  return () => {
    clearTimeout(resting);
    over.removeEventListener('wheel', wheel);
    over.removeEventListener('pointerdown', down);
    over.removeEventListener('pointermove', move);
    over.removeEventListener('pointerup', up);
    over.removeEventListener('pointercancel', up);
  };
}

export function shifted(from: number, to: number, by: number): [number, number] {
  return [from + by, to + by];
}

/** The window after fingers went from `start` to `at`: what was under a finger stays under it. */
export function dragged(
  [from, to]: readonly [number, number],
  start: readonly number[],
  at: readonly number[],
  box: { left: number; width: number },
): [number, number] {
  const timeOf = (x: number) => from + ((x - box.left) / box.width) * (to - from);
  const [a0 = 0, b0] = start;
  const [a1 = 0, b1] = at;
  if (b0 === undefined || b1 === undefined || Math.abs(b1 - a1) < 1) {
    return shifted(from, to, -((a1 - a0) / box.width) * (to - from));
  }
  const scale = (timeOf(b0) - timeOf(a0)) / (b1 - a1);
  const next = timeOf(a0) - (a1 - box.left) * scale;
  return [next, next + box.width * scale];
}
