import { useState } from 'react';
import type { HistorianSpan } from '../../api/types';
import { formatBytes } from '../../format/bytes';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Empty } from '../../ui/Page';
import { SortHead, sorted, TableBox } from '../../ui/Table';

/** Rows shown before "more": two years of months and a month of days. */
const ROWS_STEP = 55;

/** The files by organisation and day or month. */
export function Spans({ spans }: { spans: readonly HistorianSpan[] }) {
  const { t, language } = useT();
  const [sort, setSort] = useState('-date');
  const [shown, setShown] = useState(ROWS_STEP);
  const count = new Intl.NumberFormat(language);
  if (spans.length === 0)
    return (
      <Empty icon="storage" title={t('historian.noFiles')}>
        <p>{t('historian.noFilesAdvice')}</p>
      </Empty>
    );
  const several = new Set(spans.map((span) => span.tenant)).size > 1;
  const rows = sorted(spans, sort, {
    tenant: (span) => span.tenant,
    date: (span) => span.date,
    blocks: (span) => span.blocks,
    rows: (span) => span.rows,
    bytes: (span) => span.bytes,
    density: (span) => span.bytes / Math.max(1, span.rows),
  });
  const head = (column: string, label: string, className?: string) => (
    <SortHead {...{ column, label, sort, onSort: setSort }} {...(className ? { className } : {})} />
  );
  return (
    <section aria-label={t('historian.spans')}>
      <h2 className="historian-spans">{t('historian.spans')}</h2>
      <TableBox label={t('historian.spans')}>
        <table className="table">
          <thead>
            <tr>
              {head('date', t('historian.date'))}
              {several ? head('tenant', t('historian.tenant'), 'number-cell') : null}
              {head('blocks', t('historian.files'), 'number-cell')}
              {head('rows', t('historian.rows'), 'number-cell')}
              {head('bytes', t('historian.bytes'), 'number-cell')}
              {head('density', t('historian.density'), 'number-cell')}
              <th scope="col">{t('historian.first')}</th>
              <th scope="col">{t('historian.last')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((span) => (
              <tr key={`${span.tenant} ${span.date} ${span.days}`}>
                <th scope="row">{span.days > 1 ? span.date.slice(0, 7) : span.date}</th>
                {several ? <td className="number-cell">{span.tenant}</td> : null}
                <td className="number-cell">{count.format(span.blocks)}</td>
                <td className="number-cell">{count.format(span.rows)}</td>
                <td className="number-cell">{formatBytes(span.bytes)}</td>
                <td className="number-cell">{(span.bytes / Math.max(1, span.rows)).toFixed(2)}</td>
                <td className="time-cell">{formatTime(span.from)}</td>
                <td className="time-cell">{formatTime(span.to)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {rows.length > shown ? (
        <p className="more">
          <Button label={t('action.more')} onClick={() => setShown(shown + ROWS_STEP)} />
        </p>
      ) : null}
    </section>
  );
}
