// Tests of a device: once, or again and again as a live preview.
import { useEffect, useRef, useState } from 'react';
import { post } from '../api/client';
import type { DeviceDraft, TestReport } from '../api/types';

/** The pause between two readings of the live preview. */
const PREVIEW_PAUSE_MS = 1_500;

/** A device as it is tested; with `id`, kept secrets of that device are used. */
export type TestDraft = DeviceDraft & { id?: string };

export interface DeviceTest {
  running: 'once' | 'live' | null;
  report: TestReport | undefined;
  error: unknown;
  /** Tests what the form says now, or what is given; answers whether the device did. */
  once: (draft?: TestDraft) => Promise<boolean>;
  live: () => void;
  stop: () => void;
  clear: () => void;
}

/** `draft` is what the form says at that moment, or nothing while it makes no sense. */
export function useDeviceTest(draft: () => TestDraft | undefined): DeviceTest {
  const [running, setRunning] = useState<'once' | 'live' | null>(null);
  const [report, setReport] = useState<TestReport>();
  const [error, setError] = useState<unknown>();
  const now = useRef(draft);
  const stop = useRef<AbortController>(undefined);
  useEffect(() => {
    now.current = draft;
  });
  useEffect(() => () => stop.current?.abort(), []);

  const read = async (signal: AbortSignal, body: TestDraft | undefined): Promise<boolean> => {
    if (!body) return false;
    try {
      const found = await post<TestReport>('/devices/test', body, signal);
      if (signal.aborted) return false;
      setReport(found);
      setError(undefined);
      return true;
    } catch (failure) {
      if (signal.aborted) return false;
      setReport(undefined);
      setError(failure);
      return false;
    }
  };
  const begin = (kind: 'once' | 'live'): AbortSignal => {
    stop.current?.abort();
    stop.current = new AbortController();
    setRunning(kind);
    setError(undefined);
    return stop.current.signal;
  };
  return {
    running,
    report,
    error,
    once: async (given) => {
      const signal = begin('once');
      const answered = await read(signal, given ?? now.current());
      if (!signal.aborted) setRunning(null);
      return answered;
    },
    live: () => {
      const signal = begin('live');
      const again = async () => {
        // Nobody looks at a page in the background.
        if (!document.hidden) await read(signal, now.current());
        if (!signal.aborted) setTimeout(() => void again(), PREVIEW_PAUSE_MS);
      };
      void again();
    },
    stop: () => {
      stop.current?.abort();
      setRunning(null);
    },
    clear: () => {
      stop.current?.abort();
      setRunning(null);
      setReport(undefined);
      setError(undefined);
    },
  };
}
