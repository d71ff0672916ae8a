import { useMemo, useState } from 'react';
import type { QueryRows, Value } from '../../api/types';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { SortHead, sorted, TableBox } from '../../ui/Table';
import { cellText, columnKey, isNumber, sortKeys } from './statement';

/** Rows drawn before "more"; a browser draws some thousands of rows quickly. */
const ROWS_STEP = 500;

/** The rows of an answer, to be sorted by any column. */
export function Rows({ answer }: { answer: QueryRows }) {
  const { t } = useT();
  const [sort, setSort] = useState('');
  const [shown, setShown] = useState(ROWS_STEP);
  const { columns } = answer;
  const rows = useMemo(
    () => (sort ? sorted(answer.rows, sort, sortKeys(columns)) : answer.rows),
    [answer.rows, columns, sort],
  );
  return (
    <>
      <TableBox label={t('sql.rows')}>
        <table className="table sql-table">
          <thead>
            <tr>
              {columns.map(({ name, type }, index) => (
                <SortHead
                  key={columnKey(index)}
                  label={name}
                  column={columnKey(index)}
                  sort={sort}
                  onSort={setSort}
                  {...(isNumber(type) ? { className: 'number-cell' } : {})}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row, at) => (
              <tr key={at}>
                {columns.map(({ type }, index) => (
                  <Cell key={columnKey(index)} type={type} cell={row[index]} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {rows.length > shown ? (
        <p className="more">
          <Button
            label={t('sql.moreRows', { shown, rows: rows.length })}
            onClick={() => setShown(shown + ROWS_STEP)}
          />
        </p>
      ) : null}
    </>
  );
}

function Cell({ type, cell }: { type: string; cell: Value | undefined }) {
  if (cell === null || cell === undefined) return <td className="muted">–</td>;
  // In the reader's zone like every time of the console; the exact one is a look away.
  if (type === 'time')
    return (
      <td className="time-cell" title={cellText(cell)}>
        {formatTime(cellText(cell), true)}
      </td>
    );
  return <td className={isNumber(type) ? 'number-cell' : undefined}>{cellText(cell)}</td>;
}
