import type { ProtocolSchema } from '../../api/protocols';
import { Connection } from '../../device/Connection';
import type { DeviceText } from '../../device/draft';
import type { DeviceTest } from '../../device/deviceTest';
import { useT } from '../../i18n/i18n';
import type { FormErrors, FormValues } from '../../schema/form';
import { textIn } from '../../schema/schema';
import { Button } from '../../ui/Button';
import { WizardFoot } from './WizardFoot';

interface ConnectionStepProps {
  protocol: string;
  schema: ProtocolSchema;
  text: DeviceText;
  errors: FormErrors | undefined;
  said: (pointer: string) => string | undefined;
  test: DeviceTest;
  onChange: (settings: FormValues) => void;
  onTest: (settings: FormValues) => void;
  /** Tests, and goes on when the device answers. */
  onForward: () => void;
  /** Goes on although it does not; none while the settings make no sense. */
  onSkip: (() => void) | undefined;
  onBack: () => void;
}

export function ConnectionStep(props: ConnectionStepProps) {
  const { protocol, schema, text, errors, said, test, onChange, onTest, onForward, onSkip, onBack } = props;
  const { t, language } = useT();
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onForward();
      }}
    >
      <section className="card" aria-label={t('device.connection')}>
        <h2>
          {textIn(schema['x-title'], language) ?? schema.title}
          {text.template ? <span className="chip">{t('wizard.ofTemplate', { name: text.template })}</span> : null}
        </h2>
        {schema['x-description'] ? (
          <p className="muted wizard-about">{textIn(schema['x-description'], language)}</p>
        ) : null}
        <Connection
          protocol={protocol}
          schema={schema}
          value={text.settings}
          onChange={onChange}
          errors={errors}
          said={(pointer) => said(`/settings${pointer}`)}
          test={test}
          onTest={onTest}
          autoFocus
        />
        {test.error && onSkip ? (
          <p className="row">
            <span className="muted">{t('wizard.skipAbout')}</span>
            <Button kind="quiet" label={t('wizard.skip')} onClick={onSkip} />
          </p>
        ) : null}
      </section>
      <WizardFoot onBack={onBack} next={t('wizard.connect')} busy={test.running === 'once'} />
    </form>
  );
}
