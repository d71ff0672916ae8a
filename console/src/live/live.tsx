// The page's one live stream, for components.
import { useQueryClient } from '@tanstack/react-query';
import {
  createContext,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
  type ReactNode,
} from 'react';
import { useSession } from '../api/session';
import type { Sample } from '../api/types';
import { LiveStream, type Follower, type StreamState } from './stream';

const Context = createContext<LiveStream | null>(null);

export function LiveProvider({ children }: { children: ReactNode }) {
  const { ask } = useSession();
  const queries = useQueryClient();
  const stream = useMemo(
    () =>
      new LiveStream({
        open: (url) => new EventSource(url),
        frame: (flush) => requestAnimationFrame(flush),
        // The session may be over, or a tag in the stream is gone: lists that are read anew no longer
        // ask for it.
        closed: () => {
          void ask();
          void queries.invalidateQueries({ queryKey: ['tags'] });
        },
      }),
    [ask, queries],
  );
  useEffect(() => {
    const look = () => (document.hidden ? stream.pause() : stream.resume());
    document.addEventListener('visibilitychange', look);
    stream.resume();
    return () => {
      document.removeEventListener('visibilitychange', look);
      stream.pause();
    };
  }, [stream]);
  return <Context value={stream}>{children}</Context>;
}

function useStream(): LiveStream {
  const stream = useContext(Context);
  if (!stream) throw new Error('live values outside LiveProvider');
  return stream;
}

/** The tag's newest sample, from the stream once one came, else the one the list brought. */
export function useLast(tag: string, listed: Sample | null | undefined): Sample | null {
  const stream = useStream();
  const subscribe = useMemo(() => (changed: () => void) => stream.read(tag, changed), [stream, tag]);
  const live = useSyncExternalStore(subscribe, () => stream.latest(tag));
  return live ?? listed ?? null;
}

/** Hands every live sample of the tags to the follower. */
export function useFollow(tags: readonly string[], follower: Follower): void {
  const stream = useStream();
  const current = useRef(follower);
  useEffect(() => {
    current.current = follower;
  });
  const key = JSON.stringify(tags);
  useEffect(() => {
    const list = JSON.parse(key) as string[];
    return stream.follow(list, {
      sample: (sample) => current.current.sample?.(sample),
      gap: () => current.current.gap?.(),
    });
  }, [stream, key]);
}

export function useStreamState(): StreamState {
  const stream = useStream();
  return useSyncExternalStore(
    useMemo(() => (changed: () => void) => stream.watch(changed), [stream]),
    () => stream.state(),
  );
}
