import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { FieldSchema } from '../api/protocols';
import type { Asset, DataType, TestValue } from '../api/types';
import { formatValue } from '../format/value';
import { useT, type Translate } from '../i18n/i18n';
import { addressText } from '../schema/address';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { NARROW, useMedia, useRowWindow } from '../ui/rows';
import { QualityMark } from '../ui/Status';
import { BulkDialog } from './BulkDialog';
import { PointDialog } from './PointDialog';
import {
  addressOf,
  dataTypeOf,
  duplicated,
  isScalable,
  POINTS_MAX,
  UNITS_OFFERED,
  type PointErrors,
  type PointText,
} from './points';
import './points.css';

/** Row heights in pixels; the style sheet gives the rows just these. */
const ROW_PX = 46;
const CARD_PX = 142;

export interface PointsTableProps {
  points: readonly PointText[];
  nextKey: number;
  /** How the protocol's addresses look. */
  schema: FieldSchema;
  /** Whether the protocol can write at all. */
  writes: boolean;
  errors: ReadonlyMap<number, PointErrors>;
  /** What the node said about a row, when it refused; by pointer below the point. */
  said: (index: number, pointer: string) => string | undefined;
  values: readonly TestValue[] | undefined;
  assets: readonly Asset[];
  onChange: (points: PointText[], nextKey: number) => void;
}

/** What is first to be corrected in a row. */
function firstError(errors: PointErrors | undefined, t: Translate): string | undefined {
  const field = errors && Object.values(errors.fields)[0];
  if (field) return t(field);
  const address = errors && [...errors.address.values()][0];
  return address ? `${t('points.address')}: ${t(address.key, address.values)}` : undefined;
}

/** Points as a table: what matters is typed in the cells, the rest stands behind each row, or is changed for many at once. */
export function PointsTable(props: PointsTableProps) {
  const { points, nextKey, schema, errors, said, values, onChange } = props;
  const { t, language } = useT();
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [open, setOpen] = useState<number | null>(null);
  const [bulk, setBulk] = useState(false);
  const body = useRef<HTMLOListElement>(null);
  const height = useMedia(NARROW) ? CARD_PX : ROW_PX;
  const view = useRowWindow(body, points.length, height);
  const read = useMemo(() => new Map(values?.map((value) => [value.index, value])), [values]);
  const rows = useMemo(() => points.filter((point) => chosen.has(point.key)), [points, chosen]);

  const set = (key: number, part: Partial<PointText>) =>
    onChange(
      points.map((point) => (point.key === key ? { ...point, ...part } : point)),
      nextKey,
    );
  const drop = (keys: ReadonlySet<number>) => {
    onChange(
      points.filter((point) => !keys.has(point.key)),
      nextKey,
    );
    setChosen(new Set([...chosen].filter((key) => !keys.has(key))));
  };
  // As in a spreadsheet: Enter goes down, and does not send the form.
  const press = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
    event.preventDefault();
    const { row, column } = event.currentTarget.dataset;
    const next = Number(row) + (event.shiftKey ? -1 : 1);
    body.current?.querySelector<HTMLInputElement>(`[data-row="${next}"][data-column="${column}"]`)?.focus();
  };
  const opened = points.find((point) => point.key === open);
  const openedIndex = points.findIndex((point) => point.key === open);
  return (
    <div className="points">
      <div className="points-bar">
        <label className="check">
          <input
            type="checkbox"
            checked={points.length > 0 && rows.length === points.length}
            ref={(box) => {
              if (box) box.indeterminate = rows.length > 0 && rows.length < points.length;
            }}
            onChange={(event) =>
              setChosen(new Set(event.target.checked ? points.map((point) => point.key) : []))
            }
          />
          <span>
            {rows.length > 0
              ? t('points.chosen', { count: rows.length, total: points.length })
              : t('points.count', { count: points.length })}
          </span>
        </label>
        <Button
          icon="edit"
          label={t('points.changeMany')}
          disabled={rows.length === 0}
          onClick={() => setBulk(true)}
        />
        <Button
          kind="quiet"
          icon="trash"
          label={t('points.deleteMany')}
          disabled={rows.length === 0}
          onClick={() => drop(new Set(rows.map((point) => point.key)))}
        />
      </div>
      <div className="point-head" aria-hidden="true">
        <span />
        <span>{t('points.name')}</span>
        <span>{t('points.address')}</span>
        <span>{t('tag.unit')}</span>
        <span>{t('points.factor')}</span>
        <span>{t('points.offset')}</span>
        <span>{t('points.pollShort')}</span>
        <span>{t('points.value')}</span>
        <span />
      </div>
      <ol className="point-list" ref={body}>
        <li style={{ height: view.first * height }} aria-hidden="true" className="spacer" />
        {points.slice(view.first, view.end).map((point, place) => {
          const index = view.first + place;
          const wrong = errors.get(point.key);
          const message = firstError(wrong, t) ?? said(index, '');
          const cell = (
            column: 'name' | 'unit' | 'factor' | 'offset' | 'poll',
            label: string,
            pointer: string,
            more: { list?: string; inputMode?: 'decimal' | 'numeric'; disabled?: boolean; placeholder?: string },
          ) => {
            const field = wrong?.fields[column];
            const text = field ? t(field) : said(index, pointer);
            return (
              <input
                type="text"
                autoComplete="off"
                spellCheck={false}
                className={`point-${column}`}
                aria-label={label}
                aria-invalid={text ? true : undefined}
                title={text}
                data-row={index}
                data-column={column}
                value={point[column]}
                onChange={(event) => set(point.key, { [column]: event.target.value })}
                onKeyDown={press}
                {...more}
              />
            );
          };
          const type = dataTypeOf(point, schema);
          const scalable = isScalable(type);
          const address = addressText(addressOf(point, schema), schema, language);
          const value = read.get(index);
          return (
            <li
              key={point.key}
              className={message || value?.error ? 'point point-wrong' : 'point'}
              aria-label={t('points.row', { number: index + 1, name: point.name })}
            >
              <input
                type="checkbox"
                className="point-choose"
                aria-label={t('tags.chooseOne', { name: point.name })}
                checked={chosen.has(point.key)}
                onChange={(event) => {
                  const next = new Set(chosen);
                  if (event.target.checked) next.add(point.key);
                  else next.delete(point.key);
                  setChosen(next);
                }}
              />
              {cell('name', t('points.name'), '/name', {})}
              <button
                type="button"
                className="point-address"
                title={address}
                aria-invalid={(wrong?.address.size ?? 0) > 0 || said(index, '/address') ? true : undefined}
                onClick={() => setOpen(point.key)}
              >
                {address || t('points.noAddress')}
              </button>
              {cell('unit', t('tag.unit'), '/unit', { list: 'weir-units', placeholder: t('tag.unit') })}
              {cell('factor', t('points.factor'), '/scaling/0/factor', {
                inputMode: 'decimal',
                disabled: !scalable,
              })}
              {cell('offset', t('points.offset'), '/scaling/0/offset', {
                inputMode: 'decimal',
                disabled: !scalable,
              })}
              {cell('poll', t('points.poll'), '/poll_ms', {
                inputMode: 'numeric',
                placeholder: '=',
              })}
              <PointValue unit={point.unit} type={type} value={value} message={message} />
              <div className="point-actions">
                <Button
                  kind="quiet"
                  icon="edit"
                  iconOnly
                  label={t('points.edit', { name: point.name })}
                  onClick={() => setOpen(point.key)}
                />
                <Button
                  kind="quiet"
                  icon="copy"
                  iconOnly
                  label={t('points.duplicate')}
                  disabled={points.length >= POINTS_MAX}
                  onClick={() => {
                    onChange(
                      [...points.slice(0, index + 1), duplicated(point, nextKey), ...points.slice(index + 1)],
                      nextKey + 1,
                    );
                    // A copy reads the same place until its address is changed.
                    setOpen(nextKey);
                  }}
                />
                <Button
                  kind="quiet"
                  icon="trash"
                  iconOnly
                  label={t('points.delete')}
                  onClick={() => drop(new Set([point.key]))}
                />
              </div>
            </li>
          );
        })}
        <li style={{ height: (points.length - view.end) * height }} aria-hidden="true" className="spacer" />
      </ol>
      <datalist id="weir-units">
        {UNITS_OFFERED.map((unit) => (
          <option key={unit} value={unit} />
        ))}
      </datalist>
      {opened ? (
        <PointDialog
          key={opened.key}
          {...props}
          point={opened}
          wrong={errors.get(opened.key)}
          said={(pointer) => said(openedIndex, pointer)}
          onChange={(part) => set(opened.key, part)}
          onClose={() => setOpen(null)}
        />
      ) : null}
      {bulk ? (
        <BulkDialog
          points={rows}
          writes={props.writes}
          assets={props.assets}
          onClose={() => setBulk(false)}
          onApply={(change) => {
            setBulk(false);
            onChange(
              points.map((point) => (chosen.has(point.key) ? change(point) : point)),
              nextKey,
            );
          }}
        />
      ) : null}
    </div>
  );
}

function PointValue({
  unit,
  type,
  value,
  message,
}: {
  unit: string;
  type: DataType;
  value: TestValue | undefined;
  message: string | undefined;
}) {
  const said = message ?? value?.error ?? undefined;
  return (
    <div className="point-value" aria-live="off">
      {said ? (
        <span className="tone-bad" title={said}>
          <Icon name="warning" size={14} /> {said}
        </span>
      ) : value ? (
        <>
          <output>{formatValue(value.value, { data_type: type })}</output>{' '}
          <span className="value-unit">{unit}</span>
          {value.quality.startsWith('good') ? null : <QualityMark quality={value.quality} />}
        </>
      ) : (
        <span className="muted">–</span>
      )}
    </div>
  );
}
