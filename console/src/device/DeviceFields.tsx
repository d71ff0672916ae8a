import type { Asset } from '../api/types';
import { useT } from '../i18n/i18n';
import { AssetOptions } from '../ui/AssetSelect';
import { CheckField, SelectField, TextField } from '../ui/Field';
import { GradeField } from '../ui/GradeField';
import { NameFields } from '../ui/NameFields';
import type { DeviceText } from './draft';

type Values = Pick<DeviceText, 'pair' | 'id' | 'asset' | 'grade' | 'enabled'>;

interface DeviceFieldsProps {
  value: Values;
  onChange: (part: Partial<Values>) => void;
  assets: readonly Asset[];
  /** What the node said of a field. */
  said: (pointer: string) => string | undefined;
  /** A new device may be given an identifier. */
  withId?: boolean;
  nameError?: string | undefined;
}

/** What every device has, whatever it speaks. */
export function DeviceFields({ value, onChange, assets, said, withId = false, nameError }: DeviceFieldsProps) {
  const { t } = useT();
  return (
    <div className="grid-fields">
      <NameFields
        value={value.pair}
        onChange={(pair) => onChange({ pair })}
        error={nameError ?? said('/name')}
      />
      <SelectField
        label={t('tags.asset')}
        value={value.asset}
        onChange={(asset) => onChange({ asset })}
        error={said('/asset')}
      >
        <AssetOptions assets={assets} none={t('field.noAsset')} />
      </SelectField>
      <GradeField
        value={value.grade}
        onChange={(grade) => onChange({ grade })}
        hint={t('field.gradeHint')}
        error={said('/grade')}
      />
      {withId ? (
        <TextField
          label={t('field.identifier')}
          hint={t('field.identifierHint')}
          value={value.id}
          onChange={(id) => onChange({ id })}
          error={said('/id')}
        />
      ) : null}
      <CheckField
        label={t('device.enabled')}
        checked={value.enabled}
        onChange={(enabled) => onChange({ enabled })}
      />
    </div>
  );
}
