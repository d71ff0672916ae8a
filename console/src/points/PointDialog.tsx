import type { FieldSchema } from '../api/protocols';
import { DATA_TYPES, type Asset, type DataType } from '../api/types';
import { useT } from '../i18n/i18n';
import { SchemaFields } from '../schema/SchemaFields';
import { AssetOptions } from '../ui/AssetSelect';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { CheckField, SelectField, TextField } from '../ui/Field';
import { GradeField } from '../ui/GradeField';
import { addressOf, addressType, dataTypeOf, isScalable, type PointErrors, type PointText } from './points';

interface PointDialogProps {
  point: PointText;
  schema: FieldSchema;
  writes: boolean;
  wrong: PointErrors | undefined;
  /** What the node said, by pointer below the point. */
  said: (pointer: string) => string | undefined;
  assets: readonly Asset[];
  onChange: (part: Partial<PointText>) => void;
  onClose: () => void;
}

/** All of a point: where it is read, what it is called, what it means, whether it may be written. */
export function PointDialog(props: PointDialogProps) {
  const { point, schema, writes, wrong, said, assets, onChange, onClose } = props;
  const { t } = useT();
  const error = (field: keyof PointErrors['fields'], pointer: string) => {
    const key = wrong?.fields[field];
    return key ? t(key) : said(pointer);
  };
  const type = dataTypeOf(point, schema);
  const scalable = isScalable(type);
  return (
    <Dialog
      wide
      title={point.name || t('points.new')}
      onClose={onClose}
      actions={<Button kind="primary" label={t('action.close')} onClick={onClose} />}
    >
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
        }}
      >
        {/* So that Enter closes, wherever it is pressed. */}
        <button type="submit" hidden />
        <h3>{t('points.address')}</h3>
        <SchemaFields
          schema={schema}
          value={point.address}
          onChange={(address) => onChange({ address })}
          errors={wrong?.address}
          said={(pointer) => said(`/address${pointer}`)}
        />
        {said('/address') ? <p className="field-error">{said('/address')}</p> : null}
        <h3>{t('points.meaning')}</h3>
        <div className="grid-fields">
          <TextField
            label={t('points.name')}
            value={point.name}
            onChange={(name) => onChange({ name })}
            error={error('name', '/name')}
          />
          <TextField
            label={t('field.nameZh')}
            value={point.nameZh}
            onChange={(nameZh) => onChange({ nameZh })}
            lang="zh-CN"
          />
          <TextField
            label={t('field.nameEn')}
            value={point.nameEn}
            onChange={(nameEn) => onChange({ nameEn })}
            lang="en"
          />
          <TextField
            label={t('tag.unit')}
            hint={t('field.unitHint')}
            value={point.unit}
            onChange={(unit) => onChange({ unit })}
            error={error('unit', '/unit')}
            list="weir-units"
          />
          <SelectField
            label={t('tag.dataType')}
            value={point.tag ? type : point.dataType}
            disabled={point.tag !== null}
            hint={point.tag ? t('points.typeStays') : undefined}
            onChange={(next) => onChange({ dataType: next as DataType | '' })}
            error={said('/data_type')}
          >
            {point.tag ? null : (
              <option value="">
                {t('points.typeOfAddress', {
                  type: t(`dataType.${addressType(addressOf(point, schema))}`),
                })}
              </option>
            )}
            {DATA_TYPES.map((one) => (
              <option key={one} value={one}>
                {t(`dataType.${one}`)}
              </option>
            ))}
          </SelectField>
          <TextField
            label={t('points.poll')}
            placeholder={t('points.ofDevice')}
            inputMode="numeric"
            value={point.poll}
            onChange={(poll) => onChange({ poll })}
            error={error('poll', '/poll_ms')}
          />
          <TextField
            label={t('points.factor')}
            inputMode="decimal"
            disabled={!scalable}
            value={point.factor}
            onChange={(factor) => onChange({ factor })}
            error={error('factor', '/scaling/0/factor')}
          />
          <TextField
            label={t('points.offset')}
            inputMode="decimal"
            disabled={!scalable}
            value={point.offset}
            onChange={(offset) => onChange({ offset })}
            error={error('offset', '/scaling/0/offset')}
          />
          <TextField
            label={t('field.low')}
            inputMode="decimal"
            value={point.low}
            onChange={(low) => onChange({ low })}
            error={error('low', '/range/low')}
          />
          <TextField
            label={t('field.high')}
            inputMode="decimal"
            value={point.high}
            onChange={(high) => onChange({ high })}
            error={error('high', '/range')}
          />
          <SelectField
            label={t('tags.asset')}
            value={point.asset}
            onChange={(asset) => onChange({ asset })}
            error={said('/asset')}
          >
            <AssetOptions assets={assets} none={t('points.assetOfDevice')} />
          </SelectField>
          <GradeField
            value={point.grade}
            onChange={(grade) => onChange({ grade })}
            error={said('/grade')}
          />
          {writes || point.writable ? (
            <CheckField
              label={t('points.writable')}
              hint={t('points.writableHint')}
              checked={point.writable}
              onChange={(writable) => onChange({ writable })}
            />
          ) : null}
          {point.writable && scalable ? (
            <>
              <TextField
                label={t('points.writeMin')}
                inputMode="decimal"
                value={point.writeMin}
                onChange={(writeMin) => onChange({ writeMin })}
                error={error('writeMin', '/write/min')}
              />
              <TextField
                label={t('points.writeMax')}
                inputMode="decimal"
                value={point.writeMax}
                onChange={(writeMax) => onChange({ writeMax })}
                error={error('writeMax', '/write/max')}
              />
            </>
          ) : null}
        </div>
        {point.id ? (
          <p className="muted">
            {t('field.identifier')} <code>{point.id}</code>
          </p>
        ) : null}
      </form>
    </Dialog>
  );
}
