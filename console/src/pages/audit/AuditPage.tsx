import { useQuery } from '@tanstack/react-query';
import { Fragment, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { get, getAll } from '../../api/client';
import { REFRESH_MS, usePages } from '../../api/queries';
import type { AuditItem, Checkpoint } from '../../api/types';
import { downloadCsv, fileName, toCsv } from '../../csv/csv';
import { formatTime } from '../../format/time';
import { useT, type Translate } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Copyable } from '../../ui/Copy';
import { SelectField } from '../../ui/Field';
import { More } from '../../ui/More';
import { Empty, Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { TableBox } from '../../ui/Table';
import { href, useSearchState } from '../../url/search';
import './audit.css';
import { EVENT_KINDS, summarize, type ChangedObject, type EventKind } from './event';

/** Most rows of one export. */
const EXPORT_ROWS_MAX = 20_000;

const KIND_TONES: Record<EventKind, string> = {
  change: '',
  refusal: 'tone-bad',
  sign_in: '',
  flood: 'tone-bad',
  note: 'muted',
};

/** Who did what, newest first, out of a log that nobody can change unseen. */
export default function AuditPage() {
  const { t } = useT();
  const [search, setSearch] = useSearchState();
  const q = search.get('q') ?? '';
  const kind = search.get('event') ?? '';
  const open = search.get('entry') ?? '';
  const audit = usePages<AuditItem>('/audit', { q, kind });
  const [failure, setFailure] = useState<unknown>();
  const [exporting, setExporting] = useState(false);
  const items = audit.data?.pages.flatMap((page) => page.items) ?? [];
  // The node looks through a part of the log at a time; a part without a match leads to the next.
  const { hasNextPage, isFetching, fetchNextPage } = audit;
  const searching = items.length === 0 && hasNextPage;
  useEffect(() => {
    if (searching && !isFetching) void fetchNextPage();
  }, [searching, isFetching, fetchNextPage]);

  const exportCsv = async () => {
    setExporting(true);
    setFailure(undefined);
    try {
      const { items: all } = await getAll<AuditItem>('/audit', { q, kind }, EXPORT_ROWS_MAX);
      const header = [
        'index',
        'time',
        'principal',
        'kind',
        'cause',
        'request',
        'remote',
        'what',
        'detail',
        'leaf_hash',
      ];
      const rows = all
        .map((item) => ({ item, event: summarize(item) }))
        .map(({ item, event }) => [
          item.index,
          item.time,
          item.principal,
          item.kind,
          item.cause,
          item.request,
          item.remote,
          event.text ||
            event.objects.map((object) => `${object.op} ${object.collection} ${object.key}`).join('; '),
          item.detail ? JSON.stringify(item.detail) : '',
          item.leaf_hash,
        ]);
      downloadCsv(fileName('audit', new Date()), toCsv(header, rows));
    } catch (error) {
      setFailure(error);
    } finally {
      setExporting(false);
    }
  };
  return (
    <>
      <PageHead
        title={t('nav.audit')}
        note={t('audit.about')}
        actions={
          <>
            <Button icon="restart" label={t('action.refresh')} onClick={() => void audit.refetch()} />
            <Button
              icon="download"
              label={t('action.exportCsv')}
              busy={exporting}
              onClick={() => void exportCsv()}
            />
          </>
        }
      />
      <CheckpointCard />
      <div className="filters">
        <SearchField label={t('audit.search')} value={q} onChange={(next) => setSearch({ q: next }, true)} />
        <SelectField label={t('audit.event')} value={kind} onChange={(event) => setSearch({ event })}>
          <option value="">{t('audit.allEvents')}</option>
          {EVENT_KINDS.map((one) => (
            <option key={one} value={one}>
              {t(`event.${one}`)}
            </option>
          ))}
        </SelectField>
      </div>
      {failure ? <ProblemPanel error={failure} /> : null}
      {audit.error ? <ProblemPanel error={audit.error} retry={() => void audit.refetch()} /> : null}
      {audit.isPending || searching ? <Loading /> : null}
      {audit.data && items.length === 0 && !searching ? <Empty icon="audit" title={t('audit.none')} /> : null}
      {items.length > 0 ? (
        <TableBox label={t('nav.audit')}>
          <table className="table audit-table">
            <thead>
              <tr>
                <th scope="col" className="number-cell">
                  {t('audit.index')}
                </th>
                <th scope="col">{t('tags.time')}</th>
                <th scope="col">{t('audit.principal')}</th>
                <th scope="col">{t('audit.event')}</th>
                <th scope="col">{t('audit.what')}</th>
                <th scope="col">
                  <span className="sr-only">{t('audit.details')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <Fragment key={item.index}>
                  <Entry
                    item={item}
                    open={open === String(item.index)}
                    onToggle={(on) => setSearch({ entry: on ? String(item.index) : null }, true)}
                  />
                </Fragment>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      {searching ? null : <More of={audit} />}
    </>
  );
}

function Entry({
  item,
  open,
  onToggle,
}: {
  item: AuditItem;
  open: boolean;
  onToggle: (on: boolean) => void;
}) {
  const { t } = useT();
  const event = summarize(item);
  const kind = event.kind ? t(`event.${event.kind}`) : item.kind;
  const first = event.objects[0];
  return (
    <>
      <tr className={open ? 'audit-open' : undefined}>
        <td className="number-cell muted">{item.index}</td>
        <td className="time-cell">{formatTime(item.time)}</td>
        <td className="principal-cell" title={item.principal}>
          {item.principal}
        </td>
        <td className={event.kind ? KIND_TONES[event.kind] : ''}>{kind}</td>
        <td className="what-cell">
          {first ? (
            <>
              <span className="muted">{objectText(first, t)}</span>{' '}
              <code title={first.key}>{shortKey(first.key)}</code>
              {event.objects.length > 1 ? (
                <span className="muted"> {t('audit.andMore', { count: event.objects.length - 1 })}</span>
              ) : null}
            </>
          ) : (
            <span>{event.text}</span>
          )}
          <small className="muted"> {item.cause}</small>
        </td>
        <td className="action-cell">
          <Button
            kind="quiet"
            icon={open ? 'up' : 'down'}
            iconOnly
            label={t('audit.detailsOf', { index: item.index })}
            aria-expanded={open}
            onClick={() => onToggle(!open)}
          />
        </td>
      </tr>
      {open ? (
        <tr className="audit-detail">
          <td colSpan={6}>
            <Facts
              items={[
                [t('tags.time'), formatTime(item.time, true)],
                [t('audit.principal'), <code key="p">{item.principal}</code>],
                [t('audit.cause'), item.cause],
                [t('audit.remote'), item.remote],
                [t('problem.request'), <Copyable key="r" text={item.request} />],
                [t('audit.leaf'), <code key="l">{item.leaf_hash}</code>],
              ]}
            />
            {event.objects.length > 0 ? (
              <ul className="plain-list">
                {event.objects.map((object, index) => (
                  <li key={index}>
                    <span className="muted">{objectText(object, t)}</span>{' '}
                    {object.key.includes('/') ? (
                      <Link href={href('/identify', { id: object.key })}>{object.key}</Link>
                    ) : (
                      <code>{object.key}</code>
                    )}
                  </li>
                ))}
              </ul>
            ) : null}
            <pre tabIndex={0}>{JSON.stringify(item.detail ?? item.event, null, 2)}</pre>
          </td>
        </tr>
      ) : null}
    </>
  );
}

/** Keys that are hashes say nothing by their length. */
function shortKey(key: string): string {
  return !key.includes('/') && key.length > 24 ? `${key.slice(0, 12)}…` : key;
}

/** What was done to what: "Tag changed". */
function objectText({ op, known, collection }: ChangedObject, t: Translate): string {
  return t(`operation.${op}`, { what: known ? t(`collection.${known}`) : collection });
}

/** The log's signed head: whoever has written it down can prove later that nothing before it changed. */
function CheckpointCard() {
  const { t, language } = useT();
  const checkpoint = useQuery({
    queryKey: ['audit', 'checkpoint'],
    queryFn: ({ signal }) => get<Checkpoint>('/audit/checkpoint', signal),
    refetchInterval: REFRESH_MS * 2,
  });
  if (checkpoint.error) return <ProblemPanel error={checkpoint.error} />;
  if (!checkpoint.data) return null;
  const { origin, size, root, checkpoint: note } = checkpoint.data;
  return (
    <details className="card checkpoint">
      <summary>
        <strong>{t('audit.checkpoint')}</strong>
        <span>{t('audit.entries', { count: new Intl.NumberFormat(language).format(size) })}</span>
        <code className="root-hash">{root}</code>
      </summary>
      <p className="muted">{t('audit.checkpointAbout')}</p>
      <Facts
        items={[
          [t('audit.root'), <Copyable key="root" text={root} />],
          [t('audit.origin'), <code key="origin">{origin}</code>],
        ]}
      />
      <pre tabIndex={0}>{note}</pre>
    </details>
  );
}
