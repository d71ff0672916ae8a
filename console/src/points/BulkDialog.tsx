import { useState, type FormEvent, type ReactNode } from 'react';
import type { Asset } from '../api/types';
import { useT } from '../i18n/i18n';
import { AssetOptions } from '../ui/AssetSelect';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { CheckField, SelectField, TextField } from '../ui/Field';
import { GradeField } from '../ui/GradeField';
import { bulkChange, NOTHING_CHANGED, type BulkChange } from './bulk';
import type { PointText } from './points';

interface BulkDialogProps {
  points: readonly PointText[];
  writes: boolean;
  assets: readonly Asset[];
  onApply: (change: (point: PointText) => PointText) => void;
  onClose: () => void;
}

type Part = keyof BulkChange['changed'];

/** Changes many points at once: each part that is ticked, and nothing else. */
export function BulkDialog({ points, writes, assets, onApply, onClose }: BulkDialogProps) {
  const { t } = useT();
  const [change, setChange] = useState<BulkChange>(NOTHING_CHANGED);
  const set = (part: Part, values: Partial<BulkChange>) =>
    setChange((now) => ({ ...now, ...values, changed: { ...now.changed, [part]: true } }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onApply((point) => bulkChange(point, change));
  };
  const part = (name: Part, label: string, children: ReactNode) => (
    <div className="bulk-part">
      <CheckField
        label={label}
        checked={change.changed[name]}
        onChange={(on) => setChange((now) => ({ ...now, changed: { ...now.changed, [name]: on } }))}
      />
      <div className="bulk-fields">{children}</div>
    </div>
  );
  const example = points[0];
  return (
    <Dialog title={t('bulk.title', { count: points.length })} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <p className="muted">{t('bulk.about')}</p>
        {part(
          'name',
          t('points.name'),
          <>
            <TextField
              label={t('bulk.find')}
              value={change.find}
              onChange={(find) => set('name', { find })}
            />
            <TextField
              label={t('bulk.replace')}
              hint={example && change.changed.name ? `→ ${bulkChange(example, change).name}` : undefined}
              value={change.replace}
              onChange={(replace) => set('name', { replace })}
            />
            <TextField
              label={t('bulk.prefix')}
              value={change.prefix}
              onChange={(prefix) => set('name', { prefix })}
            />
          </>,
        )}
        {part(
          'unit',
          t('tag.unit'),
          <TextField
            label={t('tag.unit')}
            list="weir-units"
            value={change.unit}
            onChange={(unit) => set('unit', { unit })}
          />,
        )}
        {part(
          'poll',
          t('tag.poll'),
          <TextField
            label={t('points.poll')}
            placeholder={t('points.ofDevice')}
            inputMode="numeric"
            value={change.poll}
            onChange={(poll) => set('poll', { poll })}
          />,
        )}
        {part(
          'scaling',
          t('tag.scaling'),
          <>
            <TextField
              label={t('points.factor')}
              inputMode="decimal"
              value={change.factor}
              onChange={(factor) => set('scaling', { factor })}
            />
            <TextField
              label={t('points.offset')}
              inputMode="decimal"
              value={change.offset}
              onChange={(offset) => set('scaling', { offset })}
            />
          </>,
        )}
        {part(
          'range',
          t('tag.range'),
          <>
            <TextField
              label={t('field.low')}
              inputMode="decimal"
              value={change.low}
              onChange={(low) => set('range', { low })}
            />
            <TextField
              label={t('field.high')}
              inputMode="decimal"
              value={change.high}
              onChange={(high) => set('range', { high })}
            />
          </>,
        )}
        {writes
          ? part(
              'write',
              t('points.writing'),
              <>
                <SelectField
                  label={t('points.writing')}
                  value={change.writable ? 'yes' : 'no'}
                  onChange={(next) => set('write', { writable: next === 'yes' })}
                >
                  <option value="no">{t('tag.readOnly')}</option>
                  <option value="yes">{t('points.writable')}</option>
                </SelectField>
                <TextField
                  label={t('points.writeMin')}
                  inputMode="decimal"
                  disabled={!change.writable}
                  value={change.writeMin}
                  onChange={(writeMin) => set('write', { writeMin })}
                />
                <TextField
                  label={t('points.writeMax')}
                  inputMode="decimal"
                  disabled={!change.writable}
                  value={change.writeMax}
                  onChange={(writeMax) => set('write', { writeMax })}
                />
              </>,
            )
          : null}
        {part(
          'asset',
          t('tags.asset'),
          <SelectField label={t('tags.asset')} value={change.asset} onChange={(asset) => set('asset', { asset })}>
            <AssetOptions assets={assets} none={t('points.assetOfDevice')} />
          </SelectField>,
        )}
        {part(
          'grade',
          t('field.grade'),
          <GradeField
            value={change.grade}
            onChange={(grade) => set('grade', { grade })}
          />,
        )}
        <div className="form-foot">
          <Button label={t('action.cancel')} onClick={onClose} />
          <Button
            kind="primary"
            type="submit"
            label={t('bulk.apply', { count: points.length })}
            disabled={!Object.values(change.changed).some(Boolean)}
          />
        </div>
      </form>
    </Dialog>
  );
}
