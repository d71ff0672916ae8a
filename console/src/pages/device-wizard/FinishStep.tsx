import { useEffect } from 'react';
import { useAssets } from '../../api/queries';
import type { ProtocolSchema } from '../../api/protocols';
import { DeviceFailure } from '../../device/DeviceFailure';
import { DeviceFields } from '../../device/DeviceFields';
import type { DeviceText } from '../../device/draft';
import type { DeviceTest } from '../../device/deviceTest';
import { useT } from '../../i18n/i18n';
import { PointsTable } from '../../points/PointsTable';
import type { PointErrors } from '../../points/points';
import { Button } from '../../ui/Button';
import { CheckField } from '../../ui/Field';
import { WizardFoot } from './WizardFoot';

interface FinishStepProps {
  schema: ProtocolSchema;
  text: DeviceText;
  set: (part: Partial<DeviceText>) => void;
  errors: ReadonlyMap<number, PointErrors>;
  /** Whether everything makes sense, so that values can be read. */
  ready: boolean;
  said: (pointer: string) => string | undefined;
  problem: unknown;
  test: DeviceTest;
  busy: boolean;
  onSave: () => void;
  onBack: () => void;
}

/** What the device and its points are called, with the values as they are now. */
export function FinishStep(props: FinishStepProps) {
  const { schema, text, set, errors, ready, said, problem, test, busy, onSave, onBack } = props;
  const { t } = useT();
  const assets = useAssets();
  const some = text.points.length > 0;
  const example = `${text.pair.en || text.pair.zh} ${text.points[0]?.name ?? ''}`.trim();
  // Values are looked at at once: that is what tells a right address from a wrong one.
  useEffect(() => {
    if (some && ready) test.live();
    // Once, when the step begins.
  }, []);
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      <section className="card" aria-label={t('device.general')}>
        <h2>{t('device.general')}</h2>
        <DeviceFields
          value={text}
          onChange={set}
          assets={assets.data?.items ?? []}
          said={said}
          withId
        />
        {text.template && some ? (
          <CheckField
            label={t('wizard.prefixed')}
            hint={t('wizard.prefixedHint', { name: example })}
            checked={text.prefixed ?? false}
            onChange={(prefixed) => set({ prefixed })}
          />
        ) : null}
      </section>
      {some ? (
        <section className="card" aria-label={t('points.title')}>
          <header className="card-head">
            <h2>{t('points.title')}</h2>
            <Button
              icon={test.running === 'live' ? 'pause' : 'eye'}
              label={test.running === 'live' ? t('device.previewStop') : t('device.preview')}
              aria-pressed={test.running === 'live'}
              onClick={() => (test.running === 'live' ? test.stop() : test.live())}
            />
          </header>
          <PointsTable
            points={text.points}
            nextKey={text.nextKey}
            schema={schema.address}
            writes={schema.abilities.write}
            errors={errors}
            said={(index, pointer) => said(`/points/${index}${pointer}`)}
            values={test.report?.values}
            assets={assets.data?.items ?? []}
            onChange={(points, nextKey) => set({ points, nextKey })}
          />
        </section>
      ) : (
        <p className="banner banner-calm">{t('wizard.noPoints')}</p>
      )}
      {problem ? <DeviceFailure error={problem} placed={isPlaced} /> : null}
      <WizardFoot onBack={onBack} next={t('device.create')} busy={busy}>
        {errors.size > 0 ? (
          <span className="tone-bad" role="status">
            {t('state.fieldsWrong', { count: errors.size })}
          </span>
        ) : test.report ? (
          <span className="muted wide-only">{test.report.message}</span>
        ) : null}
      </WizardFoot>
    </form>
  );
}

/** Fields beside which their errors stand in this step. */
function isPlaced(field: string): boolean {
  return /^\/(name|id|asset|grade)$|^\/points\/\d+\//.test(field);
}
