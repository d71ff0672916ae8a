import { useQueries } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { getVersioned, send, withId, withQuery } from '../../api/client';
import type { Tag } from '../../api/types';
import { downloadCsv, fileName, toCsv } from '../../csv/csv';
import { displayName } from '../../format/name';
import { formatTime, formatZone } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { useDark } from '../../shell/theme';
import { Button } from '../../ui/Button';
import { Empty, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { unitText } from '../../ui/Status';
import { useToast } from '../../ui/Toast';
import { useSearchState } from '../../url/search';
import {
  fixedWindow,
  isoSeconds,
  parseTrend,
  SPAN_S_DEFAULT,
  TREND_TAGS_MAX,
  trendParameters,
  type TrendView,
} from '../../url/trend';
import { Chart, type Line } from './Chart';
import { shifted, zoomed } from './gestures';
import { useLines } from './history';
import { Legend, type LegendRow } from './Legend';
import { isStepped, lineColour, scaleKey, stepFor } from './look';
import { badSpans, EMPTY, extentOf, valueAt } from './series';
import { TagPicker } from './TagPicker';
import { WindowBar, type Preset } from './WindowBar';
import './trend.css';

/** Most samples of a raw export; the node gives no more at once. */
const RAW_POINTS_MAX = 100_000;

const PRESETS: readonly Preset[] = [
  { label: 'trend.range5m', seconds: 300 },
  { label: 'trend.range1h', seconds: 3_600 },
  { label: 'trend.range8h', seconds: 28_800 },
  { label: 'trend.range24h', seconds: 86_400 },
  { label: 'trend.range7d', seconds: 604_800 },
];

/** Several tags over time. The address holds the whole view, so it can be sent to a colleague. */
export default function TrendPage() {
  const { t, language } = useT();
  const dark = useDark();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const view = useMemo(() => parseTrend(search), [search]);
  const { window } = view;
  const show = (next: Partial<TrendView>, replace = false) =>
    setSearch(trendParameters({ ...view, ...next }), replace);

  const [pixels, setPixels] = useState(0);
  const [cursor, setCursor] = useState<number | null>(null);
  const [failure, setFailure] = useState<unknown>();
  const lines = useLines(view.tags, window, pixels);
  const { from, to, series, data } = lines;
  // What "live" goes back to.
  const liveSeconds = useRef(SPAN_S_DEFAULT);
  if (window.kind === 'live') liveSeconds.current = window.seconds;

  const records = useQueries({
    queries: view.tags.map((id) => ({
      queryKey: ['tags', 'one', id],
      queryFn: ({ signal }: { signal: AbortSignal }) => getVersioned<Tag>(withId('/tags', id), signal),
      staleTime: 60_000,
    })),
  });
  const tags = view.tags.map((_id, index) => records[index]?.data?.body);

  // Texts and arrays have no line, whatever their quality.
  const textual = tags.map((tag) => tag?.data_type === 'text' || tag?.data_type === 'array').join();

  const chartLines: Line[] = view.tags.map((id, index) => {
    const tag = tags[index];
    return {
      id,
      label: tag ? displayName(tag, language) : id,
      unit: tag ? unitText(tag) : '',
      scale: scaleKey(tag),
      colour: lineColour(index, dark),
      stepped: isStepped(tag),
      hidden: view.hidden.includes(id),
    };
  });
  const shaded = useMemo(
    () =>
      series.flatMap((one, line) =>
        view.hidden.includes(view.tags[line]!) || textual.split(',')[line] === 'true' ? [] : badSpans(one),
      ),
    [series, view, textual],
  );
  const index = cursor === null || cursor >= data[0].length ? null : cursor;
  const rows: LegendRow[] = view.tags.map((id, line) => ({
    id,
    tag: tags[line],
    colour: lineColour(line, dark),
    hidden: view.hidden.includes(id),
    value: valueAt((data[line + 1] ?? []) as (number | null | undefined)[], index ?? data[0].length - 1),
    extent: extentOf(series[line] ?? EMPTY, from, to),
    failed: lines.errors.has(id),
  }));

  const fix = (low: number, high: number) => show({ window: fixedWindow(low, high) });
  const zoom = (factor: number) => fix(...zoomed(from, to, (from + to) / 2, factor));
  const pan = (share: number) => fix(...shifted(from, to, (to - from) * share));
  const download = async (name: string, read: () => Promise<string>) => {
    setFailure(undefined);
    try {
      downloadCsv(fileName(name, new Date()), await read());
    } catch (error) {
      setFailure(error);
    }
  };
  const exportShown = () => {
    const header = [
      'time',
      ...chartLines.map((line) => (line.unit ? `${line.label} (${line.unit})` : line.label)),
    ];
    if (view.tags.length > 1) {
      // Samples of several tags have times of their own: the node aligns them.
      void download('trend', async () => {
        const path = withQuery('/frames', {
          tags: view.tags.map(encodeURIComponent).join(','),
          from: isoSeconds(from),
          to: isoSeconds(to + 1),
          step: stepFor(to - from),
        });
        const rows = await (await send('GET', path, { accept: 'text/csv' })).text();
        return toCsv(header, []) + rows.slice(rows.indexOf('\n') + 1);
      });
      return;
    }
    const cells = data[0].flatMap((time, row) =>
      time < from || time > to
        ? []
        : [[new Date(time * 1000).toISOString(), ...data.slice(1).map((column) => column[row])]],
    );
    downloadCsv(fileName('trend', new Date()), toCsv(header, cells));
  };
  const exportRaw = (id: string) =>
    download(id, async () => {
      const path = withQuery(withId('/tags', id, '/samples'), {
        from: isoSeconds(from),
        to: isoSeconds(to),
        max_points: RAW_POINTS_MAX,
      });
      return (await send('GET', path, { accept: 'text/csv' })).text();
    });
  const share = async () => {
    // A live window is shared as it moves; a fixed one with its ends.
    try {
      await navigator.clipboard.writeText(globalThis.location.href);
      say(t('state.copied'));
    } catch {
      say(t('state.notCopied'));
    }
  };
  const full = view.tags.length >= TREND_TAGS_MAX;
  const error = failure ?? [...lines.errors.values()][0] ?? records.find((record) => record.error)?.error;
  return (
    <div className="trend-page">
      <PageHead
        title={t('nav.trend')}
        note={`${formatTime(from * 1000)} – ${formatTime(to * 1000)} ${formatZone(new Date(to * 1000))}`}
        actions={
          <>
            <Button icon="copy" label={t('trend.share')} onClick={() => void share()} />
            <Button
              icon="download"
              label={t('action.exportCsv')}
              disabled={view.tags.length === 0}
              onClick={exportShown}
            />
          </>
        }
      />
      <div className="trend-bar">
        <TagPicker
          label={full ? t('trend.full', { count: TREND_TAGS_MAX }) : t('trend.add')}
          taken={view.tags}
          disabled={full}
          onPick={(tag) => show({ tags: [...view.tags, tag.id] })}
        />
        <WindowBar
          presets={PRESETS}
          window={window}
          ends={[from, to]}
          onWindow={(next) => show({ window: next })}
        />
        <div className="row">
          <Button kind="quiet" icon="left" iconOnly label={t('trend.earlier')} onClick={() => pan(-0.5)} />
          <Button kind="quiet" icon="right" iconOnly label={t('trend.later')} onClick={() => pan(0.5)} />
          <Button kind="quiet" icon="zoomIn" iconOnly label={t('trend.zoomIn')} onClick={() => zoom(0.5)} />
          <Button kind="quiet" icon="zoomOut" iconOnly label={t('trend.zoomOut')} onClick={() => zoom(2)} />
          <Button
            className="live-button"
            icon={window.kind === 'live' ? 'pause' : 'play'}
            label={window.kind === 'live' ? t('trend.live') : t('trend.goLive')}
            aria-pressed={window.kind === 'live'}
            onClick={() =>
              window.kind === 'live'
                ? fix(from, to)
                : show({ window: { kind: 'live', seconds: liveSeconds.current } })
            }
          />
        </div>
      </div>
      {error ? <ProblemPanel error={error} retry={lines.refetch} /> : null}
      {view.tags.length === 0 ? (
        <Empty icon="trend" title={t('trend.empty')}>
          <p>{t('trend.emptyAdvice')}</p>
        </Empty>
      ) : (
        <>
          <section className="card chart-card" aria-busy={lines.loading}>
            <Chart
              lines={chartLines}
              data={data}
              shaded={shaded}
              from={from}
              to={to}
              dark={dark}
              onWindow={fix}
              onZoomOut={() => zoom(2)}
              onCursor={setCursor}
              onWidth={setPixels}
            />
            {lines.loading ? (
              <span className="spinner chart-spinner" role="status" aria-label={t('state.loading')} />
            ) : null}
            {!lines.loading && data[0].length === 0 && !error ? (
              <p className="chart-none">{t('trend.noSamples')}</p>
            ) : null}
          </section>
          <Legend
            rows={rows}
            at={index === null ? null : formatTime(data[0][index]! * 1000, true)}
            onToggle={(id) =>
              show(
                {
                  hidden: view.hidden.includes(id)
                    ? view.hidden.filter((one) => one !== id)
                    : [...view.hidden, id],
                },
                true,
              )
            }
            onRemove={(id) =>
              show({
                tags: view.tags.filter((one) => one !== id),
                hidden: view.hidden.filter((one) => one !== id),
              })
            }
            onRaw={(id) => void exportRaw(id)}
          />
          <p className="muted trend-hint">
            {t('trend.hint')}
            {shaded.length > 0 ? ` · ${t('history.shaded')}` : ''}
          </p>
        </>
      )}
    </div>
  );
}
