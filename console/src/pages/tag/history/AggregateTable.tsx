import { useState } from 'react';
import type { Tag } from '../../../api/types';
import { formatTime } from '../../../format/time';
import { formatNumber } from '../../../format/value';
import { useT } from '../../../i18n/i18n';
import { Button } from '../../../ui/Button';
import { Loading } from '../../../ui/Page';
import { TableBox } from '../../../ui/Table';
import type { AggregateRow } from './aggregates';
import { DRAWN, type AggregateFunction } from './intervals';

/** Rows shown before "more". */
const ROWS_STEP = 24;

/** The rows, the newest first. */
export function AggregateTable({
  tag,
  unit,
  functions,
  rows,
  loading,
  failed,
}: {
  tag: Tag;
  unit: string;
  functions: readonly AggregateFunction[];
  rows: readonly AggregateRow[];
  loading: boolean;
  failed: boolean;
}) {
  const { t } = useT();
  const [shown, setShown] = useState(ROWS_STEP);
  if (loading) return failed ? null : <Loading />;
  if (rows.length === 0) return <p className="muted">{t('history.noRows')}</p>;
  // The tag's range says how many decimals make sense, in the tag's own unit only.
  const range = unit === tag.unit || unit === tag.unit_symbol ? tag.range : null;
  const cell = (name: AggregateFunction, value: number | null | undefined) => {
    if (value === null || value === undefined) return '–';
    if (DRAWN.includes(name)) return formatNumber(value, range);
    return Number.isInteger(value) ? String(value) : formatNumber(value);
  };
  return (
    <>
      <TableBox label={t('history.aggregates')}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('history.begins')}</th>
              {functions.map((name) => (
                <th key={name} scope="col" className="number-cell">
                  {t(`aggregate.${name}`)}
                  {unit && DRAWN.includes(name) ? <small className="history-unit"> {unit}</small> : null}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows
              .slice(-shown)
              .reverse()
              .map((row) => (
                <tr key={row.time}>
                  <th scope="row" className="time-cell">
                    {formatTime(row.time)}
                  </th>
                  {functions.map((name) => (
                    <td key={name} className="number-cell">
                      {cell(name, row[name])}
                    </td>
                  ))}
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
    </>
  );
}
