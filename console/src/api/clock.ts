// The node's clock: a browser whose own clock is off still shows the right last hour.

/** Smaller differences come from the header's whole seconds and the way. */
const SKEW_MS_MIN = 3_000;

let skewMs = 0;

/** Learns from an answer's `Date` header. */
export function learnClock(date: string | null, now: number): void {
  const node = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(node)) return;
  const skew = node - now;
  skewMs = Math.abs(skew) < SKEW_MS_MIN ? 0 : skew;
}

/** Now, in seconds since 1970, by the node's clock. */
export function nodeNow(): number {
  return (Date.now() + skewMs) / 1000;
}
