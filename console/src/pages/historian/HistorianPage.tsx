import { useQuery } from '@tanstack/react-query';
import { ApiError, get } from '../../api/client';
import { REFRESH_MS } from '../../api/queries';
import { useMay } from '../../api/session';
import type { HistorianContents, Lake } from '../../api/types';
import { formatBytes } from '../../format/bytes';
import { formatDuration, formatTime } from '../../format/time';
import { useT, type Translate } from '../../i18n/i18n';
import { Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { Dot, type Tone } from '../../ui/Status';
import './historian.css';
import { RetentionCard } from './RetentionCard';
import { Spans } from './Spans';
import { waitingMerges } from './spans';

/** What the historian holds on disk, how long samples are kept, and how the lake follows. */
export default function HistorianPage() {
  const { t } = useT();
  const may = useMay();
  const seesNode = may('node:read');
  const contents = useQuery({
    queryKey: ['historian'],
    queryFn: ({ signal }) => get<HistorianContents>('/historian', signal),
    enabled: seesNode,
    refetchInterval: REFRESH_MS,
  });
  return (
    <>
      <PageHead title={t('historian.title')} note={t('historian.about')} />
      {contents.error ? <ProblemPanel error={contents.error} retry={() => void contents.refetch()} /> : null}
      {seesNode && contents.isPending ? <Loading /> : null}
      {contents.data ? <KeyFigures contents={contents.data} /> : null}
      <div className="historian-grid">
        {may('retention:read') ? <RetentionCard spans={contents.data?.spans} /> : null}
        {seesNode ? <LakeCard /> : null}
      </div>
      {contents.data ? <Spans spans={contents.data.spans} /> : null}
    </>
  );
}

function KeyFigures({ contents }: { contents: HistorianContents }) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  const sum = (of: (span: HistorianContents['spans'][number]) => number) =>
    contents.spans.reduce((total, span) => total + of(span), 0);
  const [rows, bytes] = [sum((span) => span.rows), sum((span) => span.bytes)];
  const figures: [string, string, string?][] = [
    [t('historian.samples'), count.format(contents.samples)],
    [
      t('historian.onDisk'),
      formatBytes(bytes),
      rows > 0 ? t('historian.perSample', { bytes: (bytes / rows).toFixed(2) }) : undefined,
    ],
    [t('historian.files'), count.format(sum((span) => span.blocks))],
    [t('historian.waiting'), count.format(waitingMerges(contents.spans)), t('historian.waitingNote')],
    [t('historian.log'), formatBytes(contents.log_bytes)],
    [t('historian.memory'), formatBytes(contents.memory_bytes)],
    [t('historian.deletions'), count.format(contents.deletions)],
  ];
  return (
    <dl className="historian-figures">
      {figures.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          {note ? <dd className="historian-note">{note}</dd> : null}
        </div>
      ))}
      {contents.quarantine_bytes > 0 ? (
        <div className="tone-bad">
          <dt>{t('historian.quarantine')}</dt>
          <dd>{formatBytes(contents.quarantine_bytes)}</dd>
          <dd className="historian-note">{t('historian.quarantineNote')}</dd>
        </div>
      ) : null}
    </dl>
  );
}

const LAKE_TONES: Record<string, Tone> = {
  starting: 'busy',
  copying: 'busy',
  following: 'good',
  failing: 'warn',
  ended: 'bad',
};

function lakeState(state: string, t: Translate): string {
  switch (state) {
    case 'starting':
      return t('lake.starting');
    case 'copying':
      return t('lake.copying');
    case 'following':
      return t('lake.following');
    case 'failing':
      return t('lake.failing');
    case 'ended':
      return t('lake.ended');
    default:
      return state;
  }
}

function LakeCard() {
  const { t, language } = useT();
  const lake = useQuery({
    queryKey: ['lake'],
    // A node without a lake says so with 404, which is no failure.
    queryFn: async ({ signal }) => {
      try {
        return await get<Lake>('/lake', signal);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    refetchInterval: ({ state }) => (state.data === null ? false : REFRESH_MS),
  });
  const count = new Intl.NumberFormat(language);
  const found = lake.data;
  return (
    <section className="card" aria-label={t('lake.title')}>
      <h2>{t('lake.title')}</h2>
      {lake.error ? <ProblemPanel error={lake.error} retry={() => void lake.refetch()} /> : null}
      {lake.isPending ? <Loading /> : null}
      {found === null ? <p className="muted">{t('lake.none')}</p> : null}
      {found ? (
        <>
          {found.error ? (
            <p className="banner banner-bad">
              {found.error}
              {found.advice ? ` ${found.advice}` : ''}
            </p>
          ) : null}
          <Facts
            items={[
              [
                t('lake.state'),
                <span className={`mark tone-${LAKE_TONES[found.state] ?? 'idle'}`}>
                  <Dot tone={LAKE_TONES[found.state] ?? 'idle'} />
                  {lakeState(found.state, t)}
                </span>,
              ],
              [t('lake.url'), <code>{found.url}</code>],
              [t('lake.version'), found.version],
              [t('lake.files'), `${count.format(found.files)} · ${formatBytes(found.bytes)}`],
              [t('lake.asOf'), found.as_of ? formatTime(found.as_of) : null],
              [t('lake.behind'), found.behind_s === null ? null : formatDuration(found.behind_s)],
              [t('lake.failures'), count.format(found.failures)],
              [t('lake.waiting'), found.waiting.length > 0 ? found.waiting.join('; ') : null],
            ]}
          />
        </>
      ) : null}
    </section>
  );
}
