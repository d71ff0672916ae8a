import { useQuery } from '@tanstack/react-query';
import { Fragment, useState } from 'react';
import { Link } from 'wouter';
import { get, getAll } from '../../api/client';
import { REFRESH_MS, usePages } from '../../api/queries';
import type { AuditItem, Checkpoint } from '../../api/types';
import { downloadCsv, fileName, toCsv } from '../../csv/csv';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Copyable } from '../../ui/Copy';
import { SelectField } from '../../ui/Field';
import { Empty, Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { TableBox } from '../../ui/Table';
import { href, useSearchState } from '../../url/search';
import './audit.css';
import { EVENT_KINDS, summarize, type EventKind } from './event';

/** Most rows of one export. */
const EXPORT_ROWS_MAX = 20_000;

const KIND_TONES: Record<EventKind, string> = { change: '', refusal: 'tone-bad', 'sign-in': '', flood: 'tone-bad', note: 'muted' };

/** Who did what, newest first, out of a log that nobody can change unseen. */
export default function AuditPage() {
  const { t } = useT();
  const [search, setSearch] = useSearchState();
  const q = search.get('q') ?? '';
  const kind = search.get('event') ?? '';
  const open = search.get('entry') ?? '';
  const audit = usePages<AuditItem>('/audit', { q });
  const [failure, setFailure] = useState<unknown>();
  const [exporting, setExporting] = useState(false);
  const loaded = audit.data?.pages.flatMap((page) => page.items) ?? [];
  const items = kind ? loaded.filter((item) => summarize(item.event).kind === kind) : loaded;

  const exportCsv = async () => {
    setExporting(true);
    setFailure(undefined);
    try {
      const { items: all } = await getAll<AuditItem>('/audit', { q }, EXPORT_ROWS_MAX);
      const header = ['index', 'time', 'principal', 'event', 'cause', 'request', 'objects', 'detail', 'leaf_hash'];
      const rows = all
        .map((item) => ({ item, event: summarize(item.event) }))
        .filter(({ event }) => !kind || event.kind === kind)
        .map(({ item, event }) => [
          item.index,
          item.time,
          item.principal,
          event.name,
          item.cause,
          item.request,
          event.objects.map((object) => `${object.op} ${object.collection} ${object.key}`).join('; ') || JSON.stringify(event.content),
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
            <Button icon="download" label={t('action.exportCsv')} busy={exporting} onClick={() => void exportCsv()} />
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
      {audit.isPending ? <Loading /> : null}
      {audit.data && items.length === 0 ? <Empty icon="audit" title={t('audit.none')} /> : null}
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
                  <Entry item={item} open={open === String(item.index)} onToggle={(on) => setSearch({ entry: on ? String(item.index) : null }, true)} />
                </Fragment>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      {audit.hasNextPage ? (
        <p className="more">
          <Button label={t('action.more')} busy={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()} />
        </p>
      ) : null}
    </>
  );
}

function Entry({ item, open, onToggle }: { item: AuditItem; open: boolean; onToggle: (on: boolean) => void }) {
  const { t } = useT();
  const event = summarize(item.event);
  const kind = event.kind ? t(`event.${event.kind}`) : event.name;
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
              <span className="muted">{`${first.op} ${first.collection}`}</span> <code>{first.key}</code>
              {event.objects.length > 1 ? <span className="muted"> {t('audit.andMore', { count: event.objects.length - 1 })}</span> : null}
            </>
          ) : (
            <span>{plainText(event.content)}</span>
          )}
          {item.cause ? <small className="muted"> {item.cause}</small> : null}
        </td>
        <td className="action-cell">
          <Button kind="quiet" icon={open ? 'up' : 'down'} iconOnly label={t('audit.detailsOf', { index: item.index })} aria-expanded={open} onClick={() => onToggle(!open)} />
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
                [t('problem.request'), item.request ? <Copyable key="r" text={item.request} /> : null],
                [t('audit.leaf'), <code key="l">{item.leaf_hash}</code>],
              ]}
            />
            {event.objects.length > 0 ? (
              <ul className="plain-list">
                {event.objects.map((object, index) => (
                  <li key={index}>
                    <span className="muted">{`${object.op} ${object.collection}`}</span> {object.key.includes('/') ? <Link href={href('/identify', { id: object.key })}>{object.key}</Link> : <code>{object.key}</code>}
                  </li>
                ))}
              </ul>
            ) : null}
            <pre>{JSON.stringify(item.detail ?? item.event, null, 2)}</pre>
          </td>
        </tr>
      ) : null}
    </>
  );
}

/** An event's content on one line. */
function plainText(content: Record<string, unknown>): string {
  return Object.entries(content)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
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
  const { size, root, time, text } = checkpoint.data;
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
          [t('tags.time'), time ? formatTime(time, true) : null],
        ]}
      />
      {text ? <pre>{text}</pre> : null}
    </details>
  );
}
