// The counters of a device that have a name of their own; others are shown under theirs.
export const COUNTERS = [
  'reads',
  'errors',
  'samples',
  'reconnects',
  'spooled',
  'dropped',
  'last_latency_ms',
  'writes',
  'missed',
] as const;
export type Counter = (typeof COUNTERS)[number];

export function isCounter(name: string): name is Counter {
  return (COUNTERS as readonly string[]).includes(name);
}
