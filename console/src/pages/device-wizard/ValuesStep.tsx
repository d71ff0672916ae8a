import { useMemo, useState } from 'react';
import type { ProtocolSchema } from '../../api/protocols';
import { trusting, type DeviceText } from '../../device/draft';
import { ValueSource } from '../../device/ValueSource';
import { useT } from '../../i18n/i18n';
import { addressOf, type PointText } from '../../points/points';
import { addressText } from '../../schema/address';
import { jsonOf, type FormValues } from '../../schema/form';
import { Button } from '../../ui/Button';
import { WizardFoot } from './WizardFoot';

/** Picked values shown in the list beside; the next step shows all. */
const SHOWN_MAX = 200;

interface ValuesStepProps {
  schema: ProtocolSchema;
  text: DeviceText;
  set: (part: Partial<DeviceText>) => void;
  onTrust: (settings: FormValues) => void;
  onForward: () => void;
  onBack: () => void;
}

/** Which values are read: ticked in what the device offers, typed, or pasted. */
export function ValuesStep({ schema, text, set, onTrust, onForward, onBack }: ValuesStepProps) {
  const { t, language } = useT();
  const { points, nextKey } = text;
  // The place is what it was when the step began: ticking a value must not load the tree anew.
  const [settings] = useState(() => jsonOf(schema.settings, text.settings));
  const [trusted, setTrusted] = useState(settings);
  const place = useMemo(() => ({ protocol: text.protocol, settings: trusted }), [text.protocol, trusted]);
  const drop = (point: PointText) => set({ points: points.filter((one) => one.key !== point.key) });
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onForward();
      }}
    >
      <div className="values-step">
        <section className="card" aria-label={t('wizard.values')}>
          <ValueSource
            place={place}
            schema={schema}
            points={points}
            nextKey={nextKey}
            onChange={(next, key) => set({ points: next, nextKey: key })}
            onTrust={(thumbprint) => {
              const next = trusting(text.settings, schema, thumbprint);
              onTrust(next);
              setTrusted(jsonOf(schema.settings, next));
            }}
          />
        </section>
        <section className="card picked" aria-label={t('wizard.picked')}>
          <h2>
            {t('wizard.picked')} <small className="muted">{points.length}</small>
          </h2>
          {points.length === 0 ? <p className="muted">{t('wizard.pickedNone')}</p> : null}
          <ul>
            {points.slice(0, SHOWN_MAX).map((point) => (
              <li key={point.key}>
                <span>
                  {point.name}
                  <small className="muted">
                    {addressText(addressOf(point, schema.address), schema.address, language)}
                  </small>
                </span>
                <Button
                  kind="quiet"
                  icon="close"
                  iconOnly
                  label={t('wizard.unpick', { name: point.name })}
                  onClick={() => drop(point)}
                />
              </li>
            ))}
          </ul>
          {points.length > SHOWN_MAX ? (
            <p className="muted">{t('paste.more', { count: points.length - SHOWN_MAX })}</p>
          ) : null}
        </section>
      </div>
      <WizardFoot
        onBack={onBack}
        next={points.length > 0 ? t('wizard.goOn', { count: points.length }) : t('wizard.goOnWithout')}
      />
    </form>
  );
}
