import { useState, type ClipboardEvent } from 'react';
import { MODBUS_TABLES, MODBUS_TYPES, WORD_ORDERS, type Asset, type TestReport } from '../../api/types';
import { formatValue } from '../../format/value';
import { useT } from '../../i18n/i18n';
import { AssetOptions } from '../../ui/AssetSelect';
import { Button } from '../../ui/Button';
import { CheckField, SelectField, TextField } from '../../ui/Field';
import { Icon } from '../../ui/Icon';
import { QualityMark } from '../../ui/Status';
import { hasWordOrder, isBitTable, isWritable, reference } from '../../format/modbus';
import { PasteDialog } from './PasteDialog';
import { duplicated, emptyPoint, POINTS_MAX, type PointErrors, type PointText } from './points';

interface PointsEditorProps {
  points: readonly PointText[];
  nextKey: number;
  errors: ReadonlyMap<number, PointErrors>;
  /** What the node said about a row, when it refused. */
  said: (index: number, field: string) => string | undefined;
  values: TestReport['values'] | undefined;
  assets: readonly Asset[];
  onChange: (points: PointText[], nextKey: number) => void;
}

/** The table of points: one row a register value, more of it on demand. */
export function PointsEditor({ points, nextKey, errors, said, values, assets, onChange }: PointsEditorProps) {
  const { t } = useT();
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set());
  const [paste, setPaste] = useState<string | null>(null);
  const set = (key: number, part: Partial<PointText>) =>
    onChange(
      points.map((point) => (point.key === key ? { ...point, ...part } : point)),
      nextKey,
    );
  const add = () => {
    const last = points.at(-1);
    const fresh =
      last && last.address !== ''
        ? { ...duplicated(last, nextKey), name: '', nameZh: '', nameEn: '' }
        : emptyPoint(nextKey);
    onChange([...points, fresh], nextKey + 1);
  };
  // Several cells at once can only come from a spreadsheet.
  const catchPaste = (event: ClipboardEvent) => {
    const text = event.clipboardData.getData('text/plain');
    if (!/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    setPaste(text);
  };
  const toggle = (key: number) => {
    const next = new Set(unfolded);
    if (!next.delete(key)) next.add(key);
    setUnfolded(next);
  };
  const full = points.length >= POINTS_MAX;
  return (
    <section className="card points" aria-label={t('points.title')} onPaste={catchPaste}>
      <header className="card-head">
        <h2>
          {t('points.title')} <small className="muted">{points.length}</small>
        </h2>
        <Button icon="paste" label={t('points.paste')} onClick={() => setPaste('')} />
        <Button icon="plus" label={t('points.add')} disabled={full} onClick={add} />
      </header>
      <p className="muted">{t('points.about')}</p>
      <div className="point-head" aria-hidden="true">
        <span>{t('points.name')}</span>
        <span>{t('points.table')}</span>
        <span>{t('points.address')}</span>
        <span>{t('points.type')}</span>
        <span>{t('tag.unit')}</span>
        <span>{t('points.factor')}</span>
        <span>{t('points.offset')}</span>
        <span>{t('points.value')}</span>
        <span />
      </div>
      <ol className="point-list">
        {points.map((point, index) => {
          const wrong = errors.get(point.key) ?? {};
          const error = (field: keyof PointErrors, pointer: string) => {
            const key = wrong[field];
            return key ? t(key) : said(index, pointer);
          };
          const open =
            unfolded.has(point.key) ||
            Boolean(
              wrong.bit ?? wrong.unitId ?? wrong.poll ?? wrong.high ?? wrong.writeMax ?? wrong.writeMin,
            );
          const address = Number(point.address);
          const known = point.address.trim() !== '' && Number.isInteger(address) && address >= 0;
          const value = values?.[index];
          const label = t('points.row', { number: index + 1, name: point.name });
          return (
            <li key={point.key} className="point" aria-label={label}>
              <div className="point-row">
                <TextField
                  label={t('points.name')}
                  value={point.name}
                  onChange={(name) => set(point.key, { name })}
                  error={error('name', 'name')}
                />
                <SelectField
                  label={t('points.table')}
                  value={point.table}
                  onChange={(value) => {
                    const table = MODBUS_TABLES.find((name) => name === value) ?? 'holding';
                    const type = isBitTable(table)
                      ? 'bool'
                      : point.type === 'bool' && point.bit === ''
                        ? 'u16'
                        : point.type;
                    set(point.key, { table, type });
                  }}
                >
                  {MODBUS_TABLES.map((table) => (
                    <option key={table} value={table}>
                      {t(`table.${table}`)}
                    </option>
                  ))}
                </SelectField>
                <TextField
                  label={t('points.address')}
                  inputMode="numeric"
                  value={point.address}
                  hint={known ? `= ${reference(point.table, address)}` : undefined}
                  onChange={(text) => set(point.key, { address: text })}
                  error={error('address', 'address/address') ?? said(index, 'address')}
                />
                <SelectField
                  label={t('points.type')}
                  value={point.type}
                  disabled={isBitTable(point.table)}
                  onChange={(type) =>
                    set(point.key, { type: MODBUS_TYPES.find((name) => name === type) ?? 'u16' })
                  }
                  error={error('type', 'address/type')}
                >
                  {MODBUS_TYPES.map((type) => (
                    <option key={type} value={type}>
                      {type}
                    </option>
                  ))}
                </SelectField>
                <TextField
                  label={t('tag.unit')}
                  value={point.unit}
                  onChange={(unit) => set(point.key, { unit })}
                  error={error('unit', 'unit')}
                  list="weir-units"
                />
                <TextField
                  label={t('points.factor')}
                  inputMode="decimal"
                  value={point.factor}
                  disabled={point.type === 'bool'}
                  onChange={(factor) => set(point.key, { factor })}
                  error={error('factor', 'scaling/0/factor')}
                />
                <TextField
                  label={t('points.offset')}
                  inputMode="decimal"
                  value={point.offset}
                  disabled={point.type === 'bool'}
                  onChange={(offset) => set(point.key, { offset })}
                  error={error('offset', 'scaling/0/offset')}
                />
                <div className="point-value" aria-live="off">
                  <span className="point-label">{t('points.value')}</span>
                  {value ? (
                    value.error ? (
                      <span className="tone-bad" title={value.error}>
                        <Icon name="warning" size={14} /> {value.error}
                      </span>
                    ) : (
                      <>
                        <output>{formatValue(value.value)}</output>{' '}
                        <span className="value-unit">{point.unit}</span>
                        {value.quality.startsWith('good') ? null : <QualityMark quality={value.quality} />}
                      </>
                    )
                  ) : (
                    <span className="muted">–</span>
                  )}
                </div>
                <div className="point-actions">
                  <Button
                    kind="quiet"
                    icon={open ? 'up' : 'down'}
                    iconOnly
                    label={t('points.more')}
                    aria-expanded={open}
                    onClick={() => toggle(point.key)}
                  />
                  <Button
                    kind="quiet"
                    icon="copy"
                    iconOnly
                    label={t('points.duplicate')}
                    disabled={full}
                    onClick={() =>
                      onChange(
                        [
                          ...points.slice(0, index + 1),
                          duplicated(point, nextKey),
                          ...points.slice(index + 1),
                        ],
                        nextKey + 1,
                      )
                    }
                  />
                  <Button
                    kind="quiet"
                    icon="trash"
                    iconOnly
                    label={t('points.delete')}
                    onClick={() =>
                      onChange(
                        points.filter((one) => one.key !== point.key),
                        nextKey,
                      )
                    }
                  />
                </div>
              </div>
              {open ? (
                <div className="point-more">
                  <TextField
                    label={t('field.nameZh')}
                    value={point.nameZh}
                    onChange={(nameZh) => set(point.key, { nameZh })}
                    lang="zh-CN"
                  />
                  <TextField
                    label={t('field.nameEn')}
                    value={point.nameEn}
                    onChange={(nameEn) => set(point.key, { nameEn })}
                    lang="en"
                  />
                  <SelectField
                    label={t('tags.asset')}
                    value={point.asset}
                    onChange={(asset) => set(point.key, { asset })}
                    error={said(index, 'asset')}
                  >
                    <AssetOptions assets={assets} none={t('points.assetOfDevice')} />
                  </SelectField>
                  {hasWordOrder(point.type) ? (
                    <SelectField
                      label={t('device.wordOrder')}
                      value={point.wordOrder}
                      onChange={(order) =>
                        set(point.key, { wordOrder: WORD_ORDERS.find((name) => name === order) ?? '' })
                      }
                    >
                      <option value="">{t('points.ofDevice')}</option>
                      {WORD_ORDERS.map((order) => (
                        <option key={order} value={order}>
                          {order}
                        </option>
                      ))}
                    </SelectField>
                  ) : null}
                  {isBitTable(point.table) ? null : (
                    <TextField
                      label={t('points.bit')}
                      inputMode="numeric"
                      value={point.bit}
                      disabled={point.type !== 'bool'}
                      onChange={(bit) => set(point.key, { bit })}
                      error={error('bit', 'address/bit')}
                    />
                  )}
                  <TextField
                    label={t('points.unitId')}
                    placeholder={t('points.ofDevice')}
                    inputMode="numeric"
                    value={point.unitId}
                    onChange={(unitId) => set(point.key, { unitId })}
                    error={error('unitId', 'address/unit')}
                  />
                  <TextField
                    label={t('points.poll')}
                    placeholder={t('points.ofDevice')}
                    inputMode="numeric"
                    value={point.poll}
                    onChange={(poll) => set(point.key, { poll })}
                    error={error('poll', 'poll_ms')}
                  />
                  <TextField
                    label={t('field.low')}
                    inputMode="decimal"
                    value={point.low}
                    onChange={(low) => set(point.key, { low })}
                    error={error('low', 'range/low')}
                  />
                  <TextField
                    label={t('field.high')}
                    inputMode="decimal"
                    value={point.high}
                    onChange={(high) => set(point.key, { high })}
                    error={error('high', 'range')}
                  />
                  {isWritable(point.table) ? (
                    <>
                      <CheckField
                        label={t('points.writable')}
                        hint={t('points.writableHint')}
                        checked={point.writable}
                        onChange={(writable) => set(point.key, { writable })}
                      />
                      {point.writable && point.type !== 'bool' ? (
                        <>
                          <TextField
                            label={t('points.writeMin')}
                            inputMode="decimal"
                            value={point.writeMin}
                            onChange={(writeMin) => set(point.key, { writeMin })}
                            error={error('writeMin', 'write/min')}
                          />
                          <TextField
                            label={t('points.writeMax')}
                            inputMode="decimal"
                            value={point.writeMax}
                            onChange={(writeMax) => set(point.key, { writeMax })}
                            error={error('writeMax', 'write/max')}
                          />
                        </>
                      ) : null}
                    </>
                  ) : null}
                  {point.id ? (
                    <p className="muted point-id">
                      {t('field.identifier')} <code>{point.id}</code>
                    </p>
                  ) : null}
                </div>
              ) : null}
            </li>
          );
        })}
      </ol>
      <datalist id="weir-units">
        {COMMON_UNITS.map((unit) => (
          <option key={unit} value={unit} />
        ))}
      </datalist>
      {paste !== null ? (
        <PasteDialog
          initial={paste}
          firstKey={nextKey}
          onClose={() => setPaste(null)}
          onTake={(taken) => {
            setPaste(null);
            // An untouched first row makes way.
            const kept = points.filter((point) => point.name !== '' || point.address !== '');
            onChange([...kept, ...taken].slice(0, POINTS_MAX), nextKey + taken.length);
          }}
        />
      ) : null}
    </section>
  );
}

/** UCUM codes that come up most, offered while typing. */
const COMMON_UNITS = [
  'Cel',
  'K',
  'kPa',
  'MPa',
  'bar',
  'kPa{gauge}',
  'm3/h',
  'kg/h',
  't/h',
  'L/min',
  '%',
  '%{mol}',
  '%{open}',
  'kW',
  'kW.h',
  'V',
  'A',
  'Hz',
  '{rpm}',
  'mm/s',
  'm',
  'mm',
  's',
];
