// Live values: one event stream for every tag that is on the screen.
import type { LiveSample, Sample } from '../api/types';

/** Most tags in one stream; beyond it the newest asked for win, the others are as fresh as their list. */
export const LIVE_TAGS_MAX = 200;
/** How long changes of the set of tags are gathered before the stream is opened anew. */
const GATHER_MS = 150;
/** Waits between attempts when the node has closed the stream for good. */
const RETRY_MS = [1_000, 2_000, 5_000, 10_000];

/** What is used of the browser's EventSource. */
export interface Source {
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface StreamOptions {
  open: (url: string) => Source;
  /** Runs `flush` soon, once a frame at most. */
  frame: (flush: () => void) => void;
  /** Called when the node closed the stream: the session may have ended. */
  closed: () => void;
}

export type StreamState = 'idle' | 'connecting' | 'open' | 'lost';

export interface Follower {
  /** Every sample in order, for charts. */
  sample?: (sample: LiveSample) => void;
  /** Samples were missed: history has to be read again. */
  gap?: () => void;
}

const CLOSED = 2;

/** Follows tags for many readers over one connection. */
export class LiveStream {
  private readonly options: StreamOptions;
  private readonly wanted = new Map<string, number>();
  private readonly last = new Map<string, Sample>();
  private readonly readers = new Map<string, Set<() => void>>();
  private readonly followers = new Map<Follower, Set<string>>();
  private readonly watchers = new Set<() => void>();
  private dirty = new Set<string>();
  private source: Source | null = null;
  private open = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempts = 0;
  private paused = false;
  private everOpen = false;
  private status: StreamState = 'idle';

  constructor(options: StreamOptions) {
    this.options = options;
  }

  /** The newest sample of a tag that is followed. */
  latest(tag: string): Sample | undefined {
    return this.last.get(tag);
  }

  state(): StreamState {
    return this.status;
  }

  /** Calls `changed` when the state of the connection changes. */
  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  /** Calls `changed`, once a frame at most, when the tag has a new sample. */
  read(tag: string, changed: () => void): () => void {
    const set = this.readers.get(tag) ?? new Set();
    this.readers.set(tag, set.add(changed));
    this.want(tag);
    return () => {
      set.delete(changed);
      if (set.size === 0) this.readers.delete(tag);
      this.release(tag);
    };
  }

  /** Hands every sample of the tags to the follower. */
  follow(tags: readonly string[], follower: Follower): () => void {
    const set = new Set(tags);
    this.followers.set(follower, set);
    set.forEach((tag) => this.want(tag));
    return () => {
      this.followers.delete(follower);
      set.forEach((tag) => this.release(tag));
    };
  }

  /** Closes the connection while nobody looks; a browser has few connections to a node. */
  pause(): void {
    this.paused = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.drop();
    this.setState('idle');
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.plan(0);
  }

  private want(tag: string): void {
    const count = this.wanted.get(tag) ?? 0;
    // Set anew, so that the map's order is the order of asking.
    this.wanted.delete(tag);
    this.wanted.set(tag, count + 1);
    if (!this.open.has(tag)) this.plan(GATHER_MS);
  }

  private release(tag: string): void {
    const count = (this.wanted.get(tag) ?? 1) - 1;
    if (count > 0) {
      this.wanted.set(tag, count);
      return;
    }
    this.wanted.delete(tag);
    // The connection stays as it is until another tag is wanted: scrolling back costs nothing.
    if (this.wanted.size === 0) this.plan(GATHER_MS);
  }

  private plan(delay: number): void {
    if (this.paused || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.connect();
    }, delay);
  }

  private connect(): void {
    const tags = [...this.wanted.keys()].slice(-LIVE_TAGS_MAX);
    if (tags.length > 0 && this.source !== null && tags.every((tag) => this.open.has(tag))) return;
    this.drop();
    for (const tag of this.last.keys()) if (!this.wanted.has(tag)) this.last.delete(tag);
    if (tags.length === 0) {
      this.setState('idle');
      return;
    }
    this.open = new Set(tags);
    this.setState(this.status === 'lost' ? 'lost' : 'connecting');
    const source = this.options.open(liveUrl(tags));
    this.source = source;
    source.onopen = () => {
      this.attempts = 0;
      this.setState('open');
      // A new connection starts at now; what came between is only in the history.
      if (this.everOpen) this.gap();
      this.everOpen = true;
    };
    source.onerror = () => {
      if (this.source !== source) return;
      this.setState('lost');
      if (source.readyState !== CLOSED) return;
      this.drop();
      this.options.closed();
      this.plan(RETRY_MS[Math.min(this.attempts++, RETRY_MS.length - 1)] ?? 0);
    };
    source.addEventListener('sample', (event) => this.accept(event.data));
    source.addEventListener('gap', () => this.gap());
  }

  private drop(): void {
    this.source?.close();
    this.source = null;
    this.open = new Set();
  }

  private accept(data: string): void {
    const sample = parseSample(data);
    if (!sample) return;
    this.last.set(sample.tag, sample);
    for (const [follower, tags] of this.followers) if (tags.has(sample.tag)) follower.sample?.(sample);
    if (!this.readers.has(sample.tag)) return;
    if (this.dirty.size === 0) this.options.frame(() => this.flush());
    this.dirty.add(sample.tag);
  }

  private flush(): void {
    const dirty = this.dirty;
    this.dirty = new Set();
    for (const tag of dirty) this.readers.get(tag)?.forEach((changed) => changed());
  }

  private gap(): void {
    for (const follower of this.followers.keys()) follower.gap?.();
  }

  private setState(state: StreamState): void {
    if (this.status === state) return;
    this.status = state;
    this.watchers.forEach((changed) => changed());
  }
}

/** The stream's address; a comma inside an identifier is encoded and so no separator. */
export function liveUrl(tags: readonly string[]): string {
  return `/api/v1/live?tags=${tags.map(encodeURIComponent).join(',')}`;
}

/** A sample as the stream sends it; nothing when it is not one. */
export function parseSample(data: string): LiveSample | undefined {
  try {
    const sample = JSON.parse(data) as Partial<LiveSample> | null;
    if (typeof sample?.tag !== 'string' || typeof sample.time !== 'string') return undefined;
    return {
      tag: sample.tag,
      time: sample.time,
      value: sample.value ?? null,
      quality: sample.quality ?? 'good',
    };
  } catch {
    return undefined;
  }
}
