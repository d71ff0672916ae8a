import { useMemo, useState } from 'react';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { AreaField } from '../../ui/Field';
import { TableBox } from '../../ui/Table';
import { reference } from '../../format/modbus';
import { parsePaste } from './paste';
import { pointErrors, type PointText } from './points';

/** Rows previewed; all of them are taken. */
const PREVIEW_ROWS_MAX = 20;

interface PasteDialogProps {
  initial: string;
  firstKey: number;
  onClose: () => void;
  onTake: (points: PointText[]) => void;
}

/** Points out of a spreadsheet: paste, look at what was understood, take. */
export function PasteDialog({ initial, firstKey, onClose, onTake }: PasteDialogProps) {
  const { t } = useT();
  const [text, setText] = useState(initial);
  const points = useMemo(() => parsePaste(text, firstKey), [text, firstKey]);
  return (
    <Dialog
      wide
      title={t('paste.title')}
      onClose={onClose}
      actions={
        <>
          <Button label={t('action.cancel')} onClick={onClose} />
          <Button
            kind="primary"
            label={t('paste.take', { count: points.length })}
            disabled={points.length === 0}
            onClick={() => onTake(points)}
          />
        </>
      }
    >
      <AreaField
        className="mono"
        label={t('paste.text')}
        hint={t('paste.hint')}
        rows={6}
        value={text}
        onChange={setText}
        autoFocus
      />
      {points.length > 0 ? (
        <TableBox label={t('paste.preview')}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('points.name')}</th>
                <th scope="col">{t('points.table')}</th>
                <th scope="col">{t('points.address')}</th>
                <th scope="col">{t('points.type')}</th>
                <th scope="col">{t('tag.unit')}</th>
                <th scope="col">{t('points.factor')}</th>
                <th scope="col">{t('points.offset')}</th>
                <th scope="col">{t('paste.problem')}</th>
              </tr>
            </thead>
            <tbody>
              {points.slice(0, PREVIEW_ROWS_MAX).map((point) => {
                const problems = Object.values(pointErrors(point));
                return (
                  <tr key={point.key}>
                    <th scope="row">{point.name || '–'}</th>
                    <td>{t(`table.${point.table}`)}</td>
                    <td>
                      {point.address}{' '}
                      <small className="muted">
                        {point.address !== '' && Number.isInteger(Number(point.address))
                          ? reference(point.table, Number(point.address))
                          : ''}
                      </small>
                    </td>
                    <td>{point.type}</td>
                    <td>{point.unit}</td>
                    <td>{point.factor}</td>
                    <td>{point.offset}</td>
                    <td className="tone-bad">{problems.map((key) => t(key)).join(' ')}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      {points.length > PREVIEW_ROWS_MAX ? (
        <p className="muted">{t('paste.more', { count: points.length - PREVIEW_ROWS_MAX })}</p>
      ) : null}
    </Dialog>
  );
}
