import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LiveSample } from '../api/types';
import { LIVE_TAGS_MAX, LiveStream, liveUrl, parseSample, type Source } from './stream';

class FakeSource implements Source {
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  readonly url: string;
  private readonly listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(url: string) {
    this.url = url;
  }
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.listeners.set(type, listener);
  }
  close(): void {
    this.closed = true;
  }
  emit(type: string, data: unknown): void {
    this.listeners.get(type)?.({ data: JSON.stringify(data) } as MessageEvent<string>);
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.({} as Event);
  }
}

const sample = (tag: string, value: number): LiveSample => ({
  tag,
  time: '2026-11-23T08:00:00Z',
  value,
  quality: 'good',
});

function setUp() {
  const sources: FakeSource[] = [];
  const frames: (() => void)[] = [];
  const closed = vi.fn();
  const stream = new LiveStream({
    open: (url) => {
      const source = new FakeSource(url);
      sources.push(source);
      return source;
    },
    frame: (flush) => frames.push(flush),
    closed,
  });
  const draw = () => frames.splice(0).forEach((frame) => frame());
  return { stream, sources, draw, closed };
}

describe('live stream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('gathers readers into one connection', () => {
    const { stream, sources, draw } = setUp();
    const changed = vi.fn();
    stream.read('1/a', changed);
    stream.read('1/b', vi.fn());
    vi.runAllTimers();
    expect(sources.map((source) => source.url)).toEqual(['/api/v1/live?tags=1%2Fa,1%2Fb']);
    sources[0]!.emit('sample', sample('1/a', 1));
    sources[0]!.emit('sample', sample('1/a', 2));
    expect(changed).not.toHaveBeenCalled();
    draw();
    expect(changed).toHaveBeenCalledOnce();
    expect(stream.latest('1/a')?.value).toBe(2);
  });

  it('keeps the connection when readers go, opens anew when tags come, closes when none is left', () => {
    const { stream, sources } = setUp();
    const gone = stream.read('1/a', vi.fn());
    const stays = stream.read('1/b', vi.fn());
    vi.runAllTimers();
    gone();
    vi.runAllTimers();
    expect(sources).toHaveLength(1);
    stream.read('1/c', vi.fn())();
    stream.read('1/d', vi.fn());
    vi.runAllTimers();
    expect(sources).toHaveLength(2);
    expect(sources[0]!.closed).toBe(true);
    expect(sources[1]!.url).toBe(liveUrl(['1/b', '1/d']));
    stays();
    expect(stream.state()).toBe('connecting');
  });

  it('closes when nobody reads', () => {
    const { stream, sources } = setUp();
    stream.read('1/a', vi.fn())();
    stream.follow(['1/b'], {})();
    vi.runAllTimers();
    expect(sources).toHaveLength(0);
    const stop = stream.follow(['1/b'], {});
    vi.runAllTimers();
    stop();
    vi.runAllTimers();
    expect(sources[0]!.closed).toBe(true);
    expect(stream.state()).toBe('idle');
  });

  it('hands followers every sample, and tells them of gaps', () => {
    const { stream, sources } = setUp();
    const follower = { sample: vi.fn(), gap: vi.fn() };
    stream.follow(['1/a'], follower);
    vi.runAllTimers();
    const source = sources[0]!;
    source.onopen?.({} as Event);
    expect(follower.gap).not.toHaveBeenCalled();
    source.emit('sample', sample('1/a', 1));
    source.emit('sample', sample('1/other', 9));
    source.emit('sample', sample('1/a', 2));
    expect(follower.sample.mock.calls.map(([one]) => (one as LiveSample).value)).toEqual([1, 2]);
    source.emit('gap', {});
    expect(follower.gap).toHaveBeenCalledOnce();
    source.fail(0);
    expect(stream.state()).toBe('lost');
    source.onopen?.({} as Event);
    expect(stream.state()).toBe('open');
    expect(follower.gap).toHaveBeenCalledTimes(2);
  });

  it('comes back with growing waits when the node closes it, and asks whether the session is over', () => {
    const { stream, sources, closed } = setUp();
    stream.read('1/a', vi.fn());
    vi.runAllTimers();
    sources[0]!.fail(2);
    expect(closed).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(999);
    expect(sources).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sources).toHaveLength(2);
    expect(stream.state()).toBe('lost');
    sources[1]!.fail(2);
    vi.advanceTimersByTime(2_000);
    expect(sources).toHaveLength(3);
    sources[2]!.onopen?.({} as Event);
    expect(stream.state()).toBe('open');
  });

  it('rests while the page is hidden', () => {
    const { stream, sources } = setUp();
    stream.read('1/a', vi.fn());
    vi.runAllTimers();
    stream.pause();
    expect(sources[0]!.closed).toBe(true);
    stream.read('1/b', vi.fn());
    vi.runAllTimers();
    expect(sources).toHaveLength(1);
    stream.resume();
    vi.runAllTimers();
    expect(sources[1]!.url).toBe(liveUrl(['1/a', '1/b']));
  });

  it('bounds the tags of a connection to the newest asked for', () => {
    const { stream, sources } = setUp();
    for (let n = 0; n < LIVE_TAGS_MAX + 5; n++) stream.read(`1/${n}`, vi.fn());
    vi.runAllTimers();
    const tags = sources[0]!.url.split('=')[1]!.split(',');
    expect(tags).toHaveLength(LIVE_TAGS_MAX);
    expect(tags.at(-1)).toBe(`1%2F${LIVE_TAGS_MAX + 4}`);
  });

  it('encodes commas and ignores what is no sample', () => {
    expect(liveUrl(['1/a,b'])).toBe('/api/v1/live?tags=1%2Fa%2Cb');
    expect(parseSample('{')).toBeUndefined();
    expect(parseSample('null')).toBeUndefined();
    expect(parseSample('{"tag":"1/a","time":"t","quality":"bad"}')).toEqual({
      tag: '1/a',
      time: 't',
      value: null,
      quality: 'bad',
    });
  });
});
