import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { Link } from 'wouter';
import { get, withId } from '../../api/client';
import { useTag } from '../../api/queries';
import type { IdentifierRecord } from '../../api/types';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button, LinkButton } from '../../ui/Button';
import { Copyable } from '../../ui/Copy';
import { Empty, Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { LiveQuality, LiveTime, LiveValue } from '../../ui/Status';
import { TableBox } from '../../ui/Table';
import { href, useSearchState } from '../../url/search';
import './identify.css';

const RECENT_KEY = 'weir.identifiers';
/** Identifiers remembered in this browser. */
const RECENT_MAX = 8;

/** What an identifier stands for: its record, its values, and the way to the thing itself. */
export default function IdentifyPage() {
  const { t } = useT();
  const [search, setSearch] = useSearchState();
  const id = search.get('id') ?? '';
  const [text, setText] = useState(id);
  const [shown, setShown] = useState(id);
  const [recent, setRecent] = useState(readRecent);
  if (shown !== id) {
    setShown(id);
    setText(id);
  }
  const record = useQuery({
    queryKey: ['identifiers', id],
    queryFn: async ({ signal }) => {
      const found = await get<IdentifierRecord>(withId('/identifiers', id), signal);
      setRecent(remember(found.id));
      return found;
    },
    enabled: id !== '',
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setSearch({ id: text.trim() });
  };
  return (
    <>
      <PageHead title={t('identify.title')} note={t('identify.about')} />
      <form className="identify-form" role="search" aria-label={t('identify.title')} onSubmit={submit}>
        <input
          type="search"
          data-search=""
          aria-label={t('identify.identifier')}
          placeholder={t('identify.placeholder')}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Button kind="primary" type="submit" icon="identify" label={t('identify.resolve')} />
      </form>
      {id === '' ? (
        recent.length > 0 ? (
          <section className="card" aria-label={t('identify.recent')}>
            <h2>{t('identify.recent')}</h2>
            <ul className="plain-list">
              {recent.map((one) => (
                <li key={one}>
                  <Link href={href('/identify', { id: one })}>
                    <code>{one}</code>
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        ) : (
          <Empty icon="identify" title={t('identify.empty')}>
            <p>{t('identify.emptyAdvice')}</p>
          </Empty>
        )
      ) : null}
      {record.isLoading ? <Loading /> : null}
      {record.error ? <ProblemPanel error={record.error} retry={() => void record.refetch()} /> : null}
      {record.data ? <Record record={record.data} /> : null}
    </>
  );
}

function Record({ record }: { record: IdentifierRecord }) {
  const { t } = useT();
  const pages: Partial<Record<IdentifierRecord['kind'], string>> = {
    tag: href('/tag', { id: record.id }),
    asset: href('/', { asset: record.id }),
    device: href('/device', { id: record.id }),
    organisation: '/',
    user: '/users',
  };
  const page = pages[record.kind];
  return (
    <div className="identify-grid">
      <section className="card" aria-label={t('identify.record')}>
        <h2>{record.name}</h2>
        <Facts
          items={[
            [t('field.identifier'), <Copyable key="id" text={record.id} />],
            [t('identify.kind'), t(`kind.${record.kind}`)],
            [t('identify.created'), record.created ? formatTime(record.created) : null],
            [t('identify.updated'), formatTime(record.updated)],
          ]}
        />
        {record.kind === 'tag' ? <TagNow id={record.id} /> : null}
        <div className="row">
          {page ? <LinkButton kind="primary" icon="right" label={t('identify.open')} to={page} /> : null}
          {record.kind === 'tag' ? (
            <LinkButton
              icon="trend"
              label={t('nav.trend')}
              to={href('/trend', { tag: record.id, range: '1h' })}
            />
          ) : null}
          {record.kind === 'asset' ? (
            <LinkButton icon="tags" label={t('nav.tags')} to={href('/tags', { asset: record.id })} />
          ) : null}
        </div>
      </section>
      <section className="card" aria-label={t('identify.values')}>
        <h2>{t('identify.values')}</h2>
        <TableBox label={t('identify.values')}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col" className="number-cell">
                  {t('identify.index')}
                </th>
                <th scope="col">{t('identify.type')}</th>
                <th scope="col">{t('identify.data')}</th>
                <th scope="col" className="number-cell">
                  {t('identify.ttl')}
                </th>
                <th scope="col">{t('identify.read')}</th>
              </tr>
            </thead>
            <tbody>
              {record.values.map((value) => (
                <tr key={value.index}>
                  <td className="number-cell">{value.index}</td>
                  <td className="mono">{value.type}</td>
                  <td className="data-cell">
                    <Data data={value.data} organisation={record.organisation} />
                  </td>
                  <td className="number-cell">{value.ttl}</td>
                  <td>{value.read ? t(`identify.${value.read}`) : '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      </section>
    </div>
  );
}

function TagNow({ id }: { id: string }) {
  const tag = useTag(id).data?.body;
  if (!tag) return null;
  return (
    <p className="row">
      <LiveValue tag={tag} /> <LiveQuality tag={tag} /> <LiveTime tag={tag} />
    </p>
  );
}

/** A value's data: an identifier leads on, an address opens, anything else is text. */
function Data({ data: text, organisation }: { data: string; organisation: string }) {
  if (/^https?:\/\//.test(text)) {
    return (
      <a href={text} rel="noreferrer noopener" target="_blank">
        {text}
      </a>
    );
  }
  if (text.startsWith(`${organisation}/`)) return <Link href={href('/identify', { id: text })}>{text}</Link>;
  return <span>{text}</span>;
}

function readRecent(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? '[]');
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string').slice(0, RECENT_MAX) : [];
  } catch {
    return [];
  }
}

function remember(id: string): string[] {
  const list = [id, ...readRecent().filter((one) => one !== id)].slice(0, RECENT_MAX);
  try {
    localStorage.setItem(RECENT_KEY, JSON.stringify(list));
  } catch {
    // Without storage nothing is remembered.
  }
  return list;
}
