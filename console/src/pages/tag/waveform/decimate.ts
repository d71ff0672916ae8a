// A snapshot of many thousand elements, drawn with no more points than a screen can tell apart.

/** Elements as uPlot takes them: positions and values. */
export type Drawn = [number[], (number | null)[]];

/**
 * The elements `from` to `to` (without), thinned so that each of the columns keeps its lowest and its
 * highest in their order: no peak is lost, whatever the width. Two columns' worth or fewer stay as they
 * are. What is no number is a gap.
 */
export function decimate(values: ArrayLike<number>, from: number, to: number, columns: number): Drawn {
  const start = Math.max(0, Math.floor(from));
  const end = Math.min(values.length, Math.ceil(to));
  const count = Math.max(0, end - start);
  const xs: number[] = [];
  const ys: (number | null)[] = [];
  const push = (at: number) => {
    const value = values[at]!;
    xs.push(at);
    ys.push(Number.isFinite(value) ? value : null);
  };
  if (count <= 2 * columns) {
    for (let at = start; at < end; at++) push(at);
    return [xs, ys];
  }
  for (let column = 0; column < columns; column++) {
    const first = start + Math.floor((column * count) / columns);
    const next = start + Math.floor(((column + 1) * count) / columns);
    let low = -1;
    let high = -1;
    for (let at = first; at < next; at++) {
      const value = values[at]!;
      if (!Number.isFinite(value)) continue;
      if (low < 0 || value < values[low]!) low = at;
      if (high < 0 || value > values[high]!) high = at;
    }
    if (low < 0) push(first);
    else {
      push(Math.min(low, high));
      if (low !== high) push(Math.max(low, high));
    }
  }
  return [xs, ys];
}

export interface Figures {
  low: number;
  high: number;
  /** The root of the mean of the squares. */
  rms: number;
}

/** What a snapshot is told by at a glance; none where it has no number. */
export function figuresOf(values: ArrayLike<number>): Figures | undefined {
  let [low, high, squares, count] = [Infinity, -Infinity, 0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
    squares += value * value;
    count++;
  }
  return count > 0 ? { low, high, rms: Math.sqrt(squares / count) } : undefined;
}

/** Doubles of 8 bytes in little endian, as the node sends them. */
export function numbersOf(bytes: ArrayBuffer): Float64Array {
  const view = new DataView(bytes);
  return Float64Array.from({ length: Math.floor(bytes.byteLength / 8) }, (_, at) =>
    view.getFloat64(at * 8, true),
  );
}
