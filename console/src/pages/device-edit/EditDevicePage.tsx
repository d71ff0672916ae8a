import { useMemo, useState, type FormEvent } from 'react';
import { Link } from 'wouter';
import { useAssets } from '../../api/queries';
import { Connection } from '../../device/Connection';
import { DeviceFailure } from '../../device/DeviceFailure';
import { DeviceFields } from '../../device/DeviceFields';
import { deviceDraft, deviceText, keptText, type DeviceText } from '../../device/draft';
import { useDeviceTest } from '../../device/deviceTest';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { errorsOf, mergePatch, type FormErrors, type FormValues } from '../../schema/form';
import { Button } from '../../ui/Button';
import { useDraft } from '../../ui/draft';
import { PageHead } from '../../ui/Page';
import { fieldError } from '../../ui/Problem';
import { DeviceToEdit, type DeviceToEditProps } from './DeviceToEdit';
import { useSave } from './save';
import './device-edit.css';

const NO_ERRORS: FormErrors = new Map();

/** How a device is reached, and what it is called. Its points have a page of their own. */
export default function EditDevicePage() {
  const { t } = useT();
  return <DeviceToEdit title={t('device.title')} form={(props) => <EditDevice {...props} />} />;
}

function EditDevice(props: DeviceToEditProps) {
  const { device, schema } = props;
  const { t, language } = useT();
  const assets = useAssets();
  const initial = () => ({ ...deviceText(device.protocol, schema, device), points: [], nextKey: 0 });
  const draft = useDraft<DeviceText>(`device.${device.id}`, initial(), (text) => keptText(text, schema));
  const text = draft.value;
  const [checked, setChecked] = useState(false);
  const { save, clear, busy, error, isConflict, page } = useSave(props, draft.forget);
  const errors = useMemo(() => errorsOf(schema.settings, text.settings), [schema, text.settings]);
  const body = (settings: FormValues) => ({
    ...deviceDraft({ ...text, settings }, schema, device, new Date()),
    id: device.id,
  });
  const test = useDeviceTest(() => body(text.settings));
  const problem = error ?? test.error;
  const set = (part: Partial<DeviceText>) => draft.change((now) => ({ ...now, ...part }));
  const unnamed = text.pair.zh.trim() === '' && text.pair.en.trim() === '';

  const isRight = (settings: FormValues) => {
    if (errorsOf(schema.settings, settings).size === 0) return true;
    setChecked(true);
    requestAnimationFrame(() => document.querySelector<HTMLElement>('main [aria-invalid]')?.focus());
    return false;
  };
  const tryOut = (settings: FormValues) => {
    clear();
    // A test wants a name; the one that stands is as good as any.
    if (isRight(settings)) void test.once({ ...body(settings), name: device.name, names: {} });
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    clear();
    setChecked(true);
    if (!isRight(text.settings) || unnamed) return;
    test.stop();
    const { name, names, asset, settings, enabled, grade } = body(text.settings);
    await save({ name, names, asset, enabled, grade, settings: mergePatch(device.settings, settings) });
  };
  const said = (pointer: string) => fieldError(problem, pointer);
  return (
    <form className="device-form" noValidate onSubmit={(event) => void submit(event)}>
      <PageHead
        title={t('device.editTitle', { name: displayName(device, language) })}
        note={<code>{device.id}</code>}
      />
      {draft.restored ? (
        <p className="banner banner-calm">
          {t('wizard.restored')}
          <Button kind="quiet" label={t('action.discard')} onClick={() => draft.discard(initial())} />
        </p>
      ) : null}
      <section className="card" aria-label={t('device.general')}>
        <h2>{t('device.general')}</h2>
        <DeviceFields
          value={text}
          onChange={set}
          assets={assets.data?.items ?? []}
          said={said}
          nameError={checked && unnamed ? t('field.required') : undefined}
        />
      </section>
      <section className="card" aria-label={t('device.connection')}>
        <h2>{t('device.connection')}</h2>
        <Connection
          protocol={device.protocol}
          schema={schema}
          value={text.settings}
          onChange={(settings) => {
            set({ settings });
            if (test.report || test.error) test.clear();
          }}
          errors={checked ? errors : NO_ERRORS}
          said={(pointer) => said(`/settings${pointer}`)}
          test={test}
          onTest={tryOut}
          device={device.id}
        />
      </section>
      {error ? <DeviceFailure error={error} placed={isPlaced} /> : null}
      {isConflict ? <p>{t('device.conflictAdvice')}</p> : null}
      <footer className="form-bar">
        <div className="form-foot">
          <Link href={page} className="button button-plain">
            {t('action.cancel')}
          </Link>
          <Button kind="primary" type="submit" label={t('action.save')} busy={busy} />
        </div>
      </footer>
    </form>
  );
}

/** Fields beside which their errors stand. */
function isPlaced(field: string): boolean {
  return /^\/(name|asset|grade|settings\/.*)$/.test(field);
}
