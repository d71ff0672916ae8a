import { useMemo, useState } from 'react';
import type { FieldSchema } from '../api/protocols';
import { useT } from '../i18n/i18n';
import { addressText } from '../schema/address';
import { titleOf } from '../schema/schema';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { AreaField } from '../ui/Field';
import { TableBox } from '../ui/Table';
import { parsePaste, plainColumns, type Column } from './paste';
import { addressOf, pointErrors, type PointText } from './points';

/** Rows previewed; all of them are taken. */
const PREVIEW_ROWS_MAX = 20;

interface PasteDialogProps {
  initial: string;
  firstKey: number;
  schema: FieldSchema;
  onClose: () => void;
  onTake: (points: PointText[]) => void;
}

/** Points out of a spreadsheet: paste, look at what was understood, take. */
export function PasteDialog({ initial, firstKey, schema, onClose, onTake }: PasteDialogProps) {
  const { t, language } = useT();
  const [text, setText] = useState(initial);
  const points = useMemo(() => parsePaste(text, firstKey, schema), [text, firstKey, schema]);
  const plain = {
    name: t('points.name'),
    nameZh: t('field.nameZh'),
    nameEn: t('field.nameEn'),
    unit: t('tag.unit'),
    factor: t('points.factor'),
    offset: t('points.offset'),
    low: t('field.low'),
    high: t('field.high'),
    poll: t('points.poll'),
    writeMin: t('points.writeMin'),
    writeMax: t('points.writeMax'),
  };
  const title = (column: Column): string =>
    'plain' in column
      ? plain[column.plain]
      : 'field' in column
        ? titleOf(column.field, schema.properties?.[column.field] ?? {}, language)
        : t('points.address');
  const columns = plainColumns(schema).map(title).join(language === 'en' ? ', ' : '、');
  const problemsOf = (point: PointText) => {
    const { fields, address } = pointErrors(point, schema);
    return [
      ...Object.values(fields).map((key) => t(key)),
      ...[...address].map(
        ([pointer, error]) =>
          `${titleOf(pointer.slice(1), schema.properties?.[pointer.slice(1)] ?? {}, language)}: ${t(error.key, error.values)}`,
      ),
    ];
  };
  const shown = points.slice(0, PREVIEW_ROWS_MAX).map((point) => ({ point, problems: problemsOf(point) }));
  // Beside the name, so that it is in sight on a phone too.
  const wrong = shown.some(({ problems }) => problems.length > 0);
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
        hint={t('paste.hint', { columns })}
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
                {wrong ? <th scope="col">{t('paste.problem')}</th> : null}
                <th scope="col">{t('points.address')}</th>
                <th scope="col">{t('tag.unit')}</th>
                <th scope="col">{t('points.factor')}</th>
                <th scope="col">{t('points.offset')}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ point, problems }) => (
                <tr key={point.key}>
                  <th scope="row">{point.name || '–'}</th>
                  {wrong ? <td className="tone-bad">{problems.join(' ')}</td> : null}
                  <td>{addressText(addressOf(point, schema), schema, language)}</td>
                  <td>{point.unit}</td>
                  <td>{point.factor}</td>
                  <td>{point.offset}</td>
                </tr>
              ))}
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
