// The same for many devices, a few at a time.

/** Requests under way at once. */
const AT_ONCE_MAX = 4;

export interface Outcome {
  done: number;
  failed: { id: string; error: unknown }[];
}

/** Does it for each; what fails is told at the end, and stops nothing. */
export async function forEach(
  ids: readonly string[],
  work: (id: string) => Promise<unknown>,
  progress: (outcome: Outcome) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const outcome: Outcome = { done: 0, failed: [] };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length && !signal.aborted) {
      const id = ids[next++]!;
      try {
        await work(id);
        outcome.done++;
      } catch (error) {
        outcome.failed.push({ id, error });
      }
      progress({ done: outcome.done, failed: [...outcome.failed] });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, ids.length) }, worker));
  return outcome;
}
