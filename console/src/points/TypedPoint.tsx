import { useRef, useState } from 'react';
import type { ProtocolSchema } from '../api/protocols';
import { useT } from '../i18n/i18n';
import { addressText } from '../schema/address';
import { SchemaFields } from '../schema/SchemaFields';
import { Button } from '../ui/Button';
import { TextField } from '../ui/Field';
import { addressOf, emptyPoint, pointsErrors, UNITS_OFFERED, type PointErrors, type PointText } from './points';
import './points.css';

interface TypedPointProps {
  schema: ProtocolSchema;
  points: readonly PointText[];
  nextKey: number;
  onAdd: (point: PointText) => void;
}

/** A point whose address is typed. Enter adds it; the next one begins with the same address. */
export function TypedPoint({ schema, points, nextKey, onAdd }: TypedPointProps) {
  const { t, language } = useT();
  const [point, setPoint] = useState(() => emptyPoint(nextKey, schema.address));
  const [wrong, setWrong] = useState<PointErrors>();
  const box = useRef<HTMLDivElement>(null);
  const set = (part: Partial<PointText>) => {
    setPoint((now) => ({ ...now, ...part }));
    setWrong(undefined);
  };
  const add = () => {
    const address = addressText(addressOf(point, schema.address), schema.address, language);
    const named = { ...point, key: nextKey, name: point.name.trim() || address };
    const errors = pointsErrors([...points, named], schema.address).get(nextKey);
    setWrong(errors);
    if (errors) {
      requestAnimationFrame(() => box.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus());
      return;
    }
    onAdd(named);
    setPoint({ ...point, name: '' });
    box.current?.querySelector('input')?.focus();
  };
  return (
    <div
      ref={box}
      className="typed-point"
      onKeyDown={(event) => {
        // Within the wizard's form, where Enter would go on.
        if (event.key !== 'Enter' || event.nativeEvent.isComposing || !(event.target instanceof HTMLInputElement))
          return;
        event.preventDefault();
        add();
      }}
    >
      <div className="grid-fields">
        <TextField
          label={t('points.name')}
          hint={t('points.nameHint')}
          value={point.name}
          onChange={(name) => set({ name })}
          error={wrong?.fields.name ? t(wrong.fields.name) : undefined}
        />
        <TextField
          label={t('tag.unit')}
          hint={t('field.unitHint')}
          value={point.unit}
          onChange={(unit) => set({ unit })}
          list="weir-typed-units"
        />
      </div>
      <SchemaFields
        schema={schema.address}
        value={point.address}
        onChange={(address) => set({ address })}
        errors={wrong?.address}
      />
      <div className="row">
        <Button icon="plus" label={t('points.add')} onClick={add} />
        <span className="muted">{t('points.enterAdds')}</span>
      </div>
      <datalist id="weir-typed-units">
        {UNITS_OFFERED.map((unit) => (
          <option key={unit} value={unit} />
        ))}
      </datalist>
    </div>
  );
}
