// The files of days and months, summed up.
import type { HistorianSpan } from '../../api/types';

/** Days and months whose files are still to be merged into one. */
export function waitingMerges(spans: readonly HistorianSpan[]): number {
  return spans.filter((span) => span.blocks > 1).length;
}
