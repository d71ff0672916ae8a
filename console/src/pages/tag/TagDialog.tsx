import { useState, type FormEvent } from 'react';
import {
  DATA_TYPES,
  type Asset,
  type DataType,
  type Grade,
  type Interpolation,
  type Tag,
  type TagDraft,
} from '../../api/types';
import { useT } from '../../i18n/i18n';
import { AssetOptions } from '../../ui/AssetSelect';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { useDraft } from '../../ui/draft';
import { AreaField, SelectField, TextField } from '../../ui/Field';
import { GradeField } from '../../ui/GradeField';
import { NameFields, namesOf, pairOf } from '../../ui/NameFields';
import { fieldError, ProblemPanel } from '../../ui/Problem';

interface TagDialogProps {
  /** The tag to change; none to create one. */
  tag?: Tag | undefined;
  assets: readonly Asset[];
  onClose: () => void;
  save: (body: TagDraft) => Promise<void>;
}

const PLACED = new Set([
  '/id',
  '/data_type',
  '/name',
  '/names',
  '/asset',
  '/unit',
  '/grade',
  '/range',
  '/interpolation',
  '/description',
]);

/** Creates a tag for samples that are sent, or changes what a tag is called and where it belongs; where its values come from is changed at its device. */
export function TagDialog({ tag, assets, onClose, save }: TagDialogProps) {
  const { t } = useT();
  const draft = useDraft(`tag.${tag?.id ?? 'new'}`, {
    pair: tag ? pairOf(tag) : { zh: '', en: '' },
    id: '',
    dataType: tag?.data_type ?? ('f64' as DataType),
    description: tag?.description ?? '',
    asset: tag?.asset ?? '',
    unit: tag?.unit ?? '',
    low: tag?.range ? String(tag.range.low) : '',
    high: tag?.range ? String(tag.range.high) : '',
    interpolation: tag?.interpolation ?? ('' as Interpolation | ''),
    grade: tag?.own_grade ?? ('' as Grade | ''),
  });
  const { value } = draft;
  const set = (part: Partial<typeof value>) => draft.change((now) => ({ ...now, ...part }));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const low = Number(value.low);
  const high = Number(value.high);
  const noRange = value.low.trim() === '' && value.high.trim() === '';
  const rangeWrong = !noRange && !(value.low.trim() !== '' && value.high.trim() !== '' && high > low);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (rangeWrong) return;
    setBusy(true);
    setError(undefined);
    try {
      await save({
        ...namesOf(value.pair, tag),
        ...(!tag && value.id.trim() ? { id: value.id.trim() } : {}),
        data_type: value.dataType,
        description: value.description.trim(),
        asset: value.asset || null,
        unit: value.unit.trim() || null,
        range: noRange ? null : { low, high },
        interpolation: value.interpolation || null,
        grade: value.grade || null,
      });
      draft.forget();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={tag ? t('tag.edit') : t('tag.new')} onClose={onClose}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        {error ? <ProblemPanel error={error} placed={(field) => PLACED.has(field)} /> : null}
        <NameFields
          value={value.pair}
          onChange={(pair) => set({ pair })}
          error={fieldError(error, '/name')}
        />
        {tag ? null : (
          <>
            <p className="muted">{t('tag.newAbout')}</p>
            <TextField
              label={t('field.identifier')}
              hint={t('field.identifierHint')}
              value={value.id}
              onChange={(id) => set({ id })}
              error={fieldError(error, '/id')}
            />
            <SelectField
              label={t('tag.dataType')}
              value={value.dataType}
              onChange={(type) => set({ dataType: type as DataType })}
              error={fieldError(error, '/data_type')}
            >
              {DATA_TYPES.map((type) => (
                <option key={type} value={type}>
                  {t(`dataType.${type}`)}
                </option>
              ))}
            </SelectField>
          </>
        )}
        <SelectField
          label={t('tags.asset')}
          value={value.asset}
          onChange={(asset) => set({ asset })}
          error={fieldError(error, '/asset')}
        >
          <AssetOptions assets={assets} none={t('field.noAsset')} />
        </SelectField>
        <TextField
          label={t('tag.unit')}
          hint={t('field.unitHint')}
          value={value.unit}
          onChange={(unit) => set({ unit })}
          error={fieldError(error, '/unit')}
        />
        <div className="row-fields">
          <TextField
            label={t('field.low')}
            inputMode="decimal"
            value={value.low}
            onChange={(text) => set({ low: text })}
          />
          <TextField
            label={t('field.high')}
            inputMode="decimal"
            value={value.high}
            onChange={(text) => set({ high: text })}
            error={rangeWrong ? t('field.rangeWrong') : fieldError(error, '/range')}
          />
        </div>
        <SelectField
          label={t('tag.interpolation')}
          value={value.interpolation}
          onChange={(way) => set({ interpolation: way as Interpolation | '' })}
          error={fieldError(error, '/interpolation')}
        >
          <option value="">{t('tag.interpolationOfType')}</option>
          <option value="linear">{t('tag.interpolationLinear')}</option>
          <option value="step">{t('tag.interpolationStep')}</option>
        </SelectField>
        <GradeField
          value={value.grade}
          onChange={(grade) => set({ grade })}
          error={fieldError(error, '/grade')}
        />
        <AreaField
          label={t('field.description')}
          rows={2}
          value={value.description}
          onChange={(description) => set({ description })}
          error={fieldError(error, '/description')}
        />
        <div className="form-foot">
          <Button
            label={t('action.cancel')}
            onClick={() => {
              draft.forget();
              onClose();
            }}
          />
          <Button kind="primary" type="submit" label={t('action.save')} busy={busy} />
        </div>
      </form>
    </Dialog>
  );
}
