import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import { ApiError, get, send, withQuery } from '../../api/client';
import { useMay } from '../../api/session';
import type { Page, QueryRows, Tag } from '../../api/types';
import { download, fileName } from '../../csv/csv';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { AreaField } from '../../ui/Field';
import { Empty, PageHead } from '../../ui/Page';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { Rows } from './Rows';
import './sql.css';
import { ADDRESS_LENGTH_MAX, examples } from './statement';
import { TABLES } from './tables';

const FORMATS = {
  csv: { accept: 'text/csv', ending: 'csv' },
  arrow: { accept: 'application/vnd.apache.arrow.stream', ending: 'arrow' },
} as const;
type Format = keyof typeof FORMATS;

interface Answer {
  sql: string;
  rows: QueryRows;
  millis: number;
}

/** One statement over what the caller may see. The address holds it; it runs when somebody says so. */
export default function SqlPage() {
  const { t } = useT();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const [sql, setSql] = useState(search.get('q') ?? '');
  const [busy, setBusy] = useState<'run' | Format>();
  const [answer, setAnswer] = useState<Answer>();
  const [failure, setFailure] = useState<unknown>();
  const running = useRef<AbortController | null>(null);
  // A page that is left ends its statement; so does the node when nobody waits any more.
  useEffect(() => () => running.current?.abort(), []);
  const statement = sql.trim();

  const ask = async (what: 'run' | Format, read: (signal: AbortSignal) => Promise<void>) => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    setBusy(what);
    setFailure(undefined);
    if (statement.length <= ADDRESS_LENGTH_MAX) setSearch({ q: statement }, true);
    try {
      await read(control.signal);
    } catch (error) {
      if (control.signal.aborted) return;
      setFailure(error);
    } finally {
      if (running.current === control) {
        running.current = null;
        setBusy(undefined);
      }
    }
  };
  const run = () =>
    ask('run', async (signal) => {
      const start = performance.now();
      const response = await send('POST', '/query', { body: { sql: statement }, signal });
      const rows = (await response.json()) as QueryRows;
      setAnswer({ sql: statement, rows, millis: performance.now() - start });
    });
  const save = (format: Format) =>
    ask(format, async (signal) => {
      const { accept, ending } = FORMATS[format];
      const response = await send('POST', '/query', { body: { sql: statement }, accept, signal });
      download(fileName('query', new Date(), ending), await response.blob());
    });
  const cancel = () => {
    running.current?.abort();
    running.current = null;
    setBusy(undefined);
    say(t('sql.cancelled'));
  };
  const share = async () => {
    if (statement.length > ADDRESS_LENGTH_MAX) {
      say(t('sql.tooLong'));
      return;
    }
    try {
      await navigator.clipboard.writeText(globalThis.location.origin + href('/sql', { q: statement }));
      say(t('state.copied'));
    } catch {
      say(t('state.notCopied'));
    }
  };
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || busy || !statement) return;
    event.preventDefault();
    void run();
  };
  return (
    <>
      <PageHead title={t('sql.title')} note={t('sql.about')} />
      <div className="sql-grid">
        <form
          className="sql-form"
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <AreaField
            className="sql-editor"
            label={t('sql.statement')}
            hint={t('sql.hint')}
            error={fieldError(failure, '/sql')}
            rows={8}
            value={sql}
            onChange={setSql}
            onKeyDown={press}
          />
          <div className="sql-actions">
            {busy ? (
              // Another element than "run": a click that turned it into that one would submit the form.
              <Button key="cancel" icon="close" label={t('sql.cancel')} onClick={cancel} />
            ) : (
              <Button
                key="run"
                kind="primary"
                icon="play"
                type="submit"
                label={t('sql.run')}
                disabled={!statement}
              />
            )}
            <Button
              icon="download"
              label={t('action.exportCsv')}
              busy={busy === 'csv'}
              disabled={!statement || !!busy}
              onClick={() => void save('csv')}
            />
            <Button
              icon="download"
              label={t('sql.exportArrow')}
              busy={busy === 'arrow'}
              disabled={!statement || !!busy}
              onClick={() => void save('arrow')}
            />
            <Button icon="copy" label={t('trend.share')} disabled={!statement} onClick={() => void share()} />
          </div>
        </form>
        <Beginnings onPick={setSql} />
      </div>
      {failure && !isOfStatement(failure) ? <ProblemPanel error={failure} /> : null}
      <div role="status" aria-live="polite" className="sql-status">
        {busy === 'run' ? (
          <span className="mark">
            <span className="spinner" aria-hidden="true" />
            {t('sql.running')}
          </span>
        ) : answer && !failure ? (
          t('sql.took', { rows: answer.rows.rows.length, millis: answer.millis.toFixed(0) })
        ) : null}
      </div>
      {answer && !failure ? (
        answer.rows.rows.length > 0 ? (
          <Rows key={answer.sql} answer={answer.rows} />
        ) : (
          <Empty icon="query" title={t('sql.noRows')} />
        )
      ) : null}
      {!answer && !failure && !busy ? (
        <Empty icon="query" title={t('sql.empty')}>
          <p>{t('sql.emptyAdvice')}</p>
        </Empty>
      ) : null}
    </>
  );
}

/** Whether the text of the error already stands below the statement. */
function isOfStatement(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.fields.length > 0 &&
    error.fields.every(({ field }) => field === '/sql')
  );
}

/** Statements to begin with, and the tables that there are. */
function Beginnings({ onPick }: { onPick: (sql: string) => void }) {
  const { t } = useT();
  const may = useMay();
  // Examples name tags that are there; any two with numbers will do.
  const tags = useQuery({
    queryKey: ['tags', 'pages', 'examples'],
    queryFn: ({ signal }) => get<Page<Tag>>(withQuery('/tags', { limit: 50 }), signal),
    enabled: may('tag:read'),
    staleTime: Infinity,
  });
  const named = (tags.data?.items ?? []).filter((tag) => tag.data_type === 'f64').map((tag) => tag.id);
  return (
    <aside className="card sql-beginnings" aria-label={t('sql.beginnings')}>
      <h2>{t('sql.examples')}</h2>
      <ul className="plain-list">
        {examples(named).map(({ name, sql }) => (
          <li key={name}>
            <button type="button" className="link-button" onClick={() => onPick(sql)}>
              {t(`sqlExample.${name}`)}
            </button>
          </li>
        ))}
      </ul>
      <h2>{t('sql.tables')}</h2>
      {TABLES.map(({ name, columns }) => (
        <details key={name}>
          <summary>
            <code>{name}</code>
          </summary>
          <p className="sql-columns">{columns.join(', ')}</p>
        </details>
      ))}
    </aside>
  );
}
