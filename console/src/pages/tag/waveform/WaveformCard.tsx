import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, type KeyboardEvent } from 'react';
import { ApiError, post, send, withId, withQuery } from '../../../api/client';
import { nodeNow } from '../../../api/clock';
import { REFRESH_MS } from '../../../api/queries';
import type { QueryRows, Tag } from '../../../api/types';
import { downloadCsv, fileName, toCsv } from '../../../csv/csv';
import { parseQuality } from '../../../format/quality';
import { formatTime, toSeconds } from '../../../format/time';
import { formatNumber } from '../../../format/value';
import { useT } from '../../../i18n/i18n';
import { useDark } from '../../../shell/theme';
import { Button } from '../../../ui/Button';
import { Empty, Loading } from '../../../ui/Page';
import { ProblemPanel } from '../../../ui/Problem';
import { unitText } from '../../../ui/Status';
import { useSearchState } from '../../../url/search';
import { isoSeconds, parseTrend, trendParameters, windowEnds, type Window } from '../../../url/trend';
import '../history/history.css';
import { WindowBar } from '../../trend/WindowBar';
import { figuresOf, numbersOf } from './decimate';
import { Waveform } from './Waveform';
import './waveform.css';

/** Most snapshots that are stepped through; a shorter range has others. */
const SNAPSHOTS_MAX = 1_000;

/**
 * The times of a tag's usable snapshots in a window, newest first. Their elements are not read for it. A
 * node without SQL knows the newest alone.
 */
async function snapshotTimes(tag: Tag, window: Window, signal: AbortSignal): Promise<string[]> {
  const [from, to] = windowEnds(window, nodeNow()).map(isoSeconds);
  const id = tag.id.replaceAll("'", "''");
  const sql = `SELECT time FROM samples WHERE tag = '${id}' AND quality <> 'bad' AND time >= '${from}' AND time <= '${to}' ORDER BY time DESC LIMIT ${SNAPSHOTS_MAX}`;
  try {
    const { rows } = await post<QueryRows>('/query', { sql }, signal);
    return rows.map(([time]) => String(time));
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'not-implemented') throw error;
    const { last } = tag;
    return last && parseQuality(last.quality).severity !== 'bad' ? [last.time] : [];
  }
}

/** A tag whose values are arrays: one snapshot at a time. The address holds which. */
export function WaveformCard({ tag }: { tag: Tag }) {
  const { t } = useT();
  const dark = useDark();
  const [search, setSearch] = useSearchState();
  const window = useMemo(() => parseTrend(search).window, [search]);
  const times = useQuery({
    queryKey: ['waveform', 'times', tag.id, window],
    queryFn: ({ signal }) => snapshotTimes(tag, window, signal),
    placeholderData: keepPreviousData,
    refetchInterval: window.kind === 'live' ? REFRESH_MS : false,
  });
  const list = times.data ?? [];
  const named = search.get('at') ?? '';
  // A snapshot that left the list is answered by the one before it.
  const found = named ? list.findIndex((time) => toSeconds(time) <= toSeconds(named)) : 0;
  const index = found < 0 ? Math.max(0, list.length - 1) : found;
  const time = list[index];
  const snapshot = useQuery({
    queryKey: ['waveform', 'one', tag.id, time],
    queryFn: async ({ signal }) => {
      const path = withQuery(withId('/tags', tag.id, '/at'), { time, mode: 'hold' });
      const answer = await send('GET', path, { signal, accept: 'application/octet-stream' });
      return { time: time!, values: numbersOf(await answer.arrayBuffer()) };
    },
    enabled: time !== undefined,
    staleTime: Infinity,
    placeholderData: keepPreviousData,
  });
  const shown = snapshot.data;
  const figures = useMemo(() => shown && figuresOf(shown.values), [shown]);
  const step = (by: number) => {
    const next = list[index + by];
    if (next) setSearch({ at: next }, true);
  };
  const ends = windowEnds(window, nodeNow());
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: 1, ArrowRight: -1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step(by);
  };
  const exportCsv = () => {
    if (!shown) return;
    const rows = Array.from(shown.values, (value, at) => [at, value]);
    const name = unitText(tag) ? `value (${unitText(tag)})` : 'value';
    downloadCsv(fileName(`${tag.id}-${shown.time}`, new Date()), toCsv(['element', name], rows));
  };
  const error = times.error ?? snapshot.error;
  return (
    <section className="card tag-waveform" aria-label={t('waveform.title')}>
      <div className="card-head">
        <h2>{t('waveform.title')}</h2>
        <WindowBar
          window={window}
          ends={ends}
          onWindow={(next) => {
            const { range, from, to } = trendParameters({ tags: [], hidden: [], window: next });
            setSearch({ range, from, to, at: null }, true);
          }}
        />
      </div>
      {error ? <ProblemPanel error={error} retry={() => void times.refetch()} /> : null}
      {times.isPending || (time !== undefined && snapshot.isPending && !error) ? <Loading /> : null}
      {times.data && list.length === 0 ? (
        <Empty icon="trend" title={t('waveform.none')}>
          <p>{t('trend.noSamples')}</p>
        </Empty>
      ) : null}
      {shown && list.length > 0 ? (
        <>
          <div className="waveform-bar">
            <Button
              icon="left"
              iconOnly
              label={t('waveform.previous')}
              disabled={index >= list.length - 1}
              onClick={() => step(1)}
            />
            <Button
              icon="right"
              iconOnly
              label={t('waveform.next')}
              disabled={index === 0}
              onClick={() => step(-1)}
            />
            <Button
              label={t('waveform.newest')}
              aria-pressed={named === ''}
              disabled={named === ''}
              onClick={() => setSearch({ at: null }, true)}
            />
            <strong className="waveform-time">{formatTime(shown.time, true)}</strong>
            <span className="muted">
              {t('waveform.position', { at: list.length - index, count: list.length })}
            </span>
            <Button icon="download" label={t('waveform.exportCsv')} onClick={exportCsv} />
          </div>
          <Waveform values={shown.values} unit={unitText(tag)} dark={dark} onKey={press} />
          <p className="muted waveform-figures">
            {t('waveform.points', { count: shown.values.length })}
            {figures ? (
              <>
                {' · '}
                {t('waveform.extremes', {
                  low: formatNumber(figures.low),
                  high: formatNumber(figures.high),
                  rms: formatNumber(figures.rms),
                })}{' '}
                {unitText(tag)}
              </>
            ) : null}
          </p>
          <p className="muted trend-hint">{t('waveform.zoomHint')}</p>
        </>
      ) : null}
    </section>
  );
}
