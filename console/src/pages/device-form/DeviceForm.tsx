import { useEffect, useRef, useState, type FormEvent } from 'react';
import { Link } from 'wouter';
import { ApiError, post } from '../../api/client';
import { useAssets } from '../../api/queries';
import {
  GRADES,
  WORD_ORDERS,
  type Device,
  type DeviceDraft,
  type Grade,
  type TestReport,
} from '../../api/types';
import { useT } from '../../i18n/i18n';
import { AssetOptions } from '../../ui/AssetSelect';
import { Button } from '../../ui/Button';
import { useDraft } from '../../ui/draft';
import { CheckField, SelectField, TextField } from '../../ui/Field';
import { Icon } from '../../ui/Icon';
import { NameFields } from '../../ui/NameFields';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import './device-form.css';
import { deviceDraft, deviceErrors, deviceText, type DeviceText } from './form';
import { PointsEditor } from './PointsEditor';

/** The pause between two readings of the live preview. */
const PREVIEW_PAUSE_MS = 1_000;

interface DeviceFormProps {
  /** The device to change; none to create one. */
  device?: Device | undefined;
  save: (draft: DeviceDraft) => Promise<void>;
  cancel: string;
}

/** A Modbus device with its points: filled in, tested against the real thing, watched live, then saved. */
export function DeviceForm({ device, save, cancel }: DeviceFormProps) {
  const { t } = useT();
  const assets = useAssets();
  const draft = useDraft<DeviceText>(`device.${device?.id ?? 'new'}`, deviceText(device));
  const text = draft.value;
  const set = (part: Partial<DeviceText>) => draft.change((now) => ({ ...now, ...part }));
  const [checked, setChecked] = useState<'no' | 'test' | 'save'>('no');
  const [busy, setBusy] = useState<'save' | null>(null);
  const [error, setError] = useState<unknown>();
  const test = useTest(text, device);
  const form = useRef<HTMLFormElement>(null);

  const errors = deviceErrors(text, checked !== 'save');
  const shownErrors = checked === 'no' ? { fields: {}, points: new Map(), count: 0 } : errors;
  const problem = error ?? test.error;
  const message = (field: keyof typeof errors.fields, pointer: string) => {
    const wrong = (shownErrors.fields as typeof errors.fields)[field];
    return wrong ? t(wrong.key, wrong.values) : fieldError(problem, pointer);
  };
  const focusFirstError = () =>
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus());

  const runTest = (keep: boolean) => {
    setError(undefined);
    if (deviceErrors(text, true).count > 0) {
      setChecked('test');
      focusFirstError();
      return;
    }
    test.start(keep);
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    setChecked('save');
    if (deviceErrors(text, false).count > 0) {
      focusFirstError();
      return;
    }
    test.stop();
    setBusy('save');
    try {
      await save(deviceDraft(text, device, new Date()));
      draft.forget();
    } catch (failure) {
      setError(failure);
      setBusy(null);
    }
  };
  return (
    <form ref={form} className="device-form" noValidate onSubmit={(event) => void submit(event)}>
      {draft.restored ? (
        <p className="banner">
          {t('state.restored')}
          <Button
            kind="quiet"
            label={t('action.discard')}
            onClick={() => draft.discard(deviceText(device))}
          />
        </p>
      ) : null}
      <section className="card" aria-label={t('device.general')}>
        <h2>{t('device.general')}</h2>
        <div className="grid-fields">
          <NameFields value={text.pair} onChange={(pair) => set({ pair })} error={message('name', '/name')} />
          {device ? null : (
            <TextField
              label={t('field.identifier')}
              hint={t('field.identifierHint')}
              value={text.id}
              onChange={(id) => set({ id })}
              error={fieldError(problem, '/id')}
            />
          )}
          <SelectField
            label={t('tags.asset')}
            value={text.asset}
            onChange={(asset) => set({ asset })}
            error={fieldError(problem, '/asset')}
          >
            <AssetOptions assets={assets.data?.items ?? []} none={t('field.noAsset')} />
          </SelectField>
          <SelectField
            label={t('field.grade')}
            value={text.grade}
            onChange={(grade) => set({ grade: grade as Grade | '' })}
            error={fieldError(problem, '/grade')}
          >
            <option value="">{t('field.gradeInherited')}</option>
            {GRADES.map((grade) => (
              <option key={grade} value={grade}>
                {t(`grade.${grade}`)}
              </option>
            ))}
          </SelectField>
          <CheckField
            label={t('device.enabled')}
            checked={text.enabled}
            onChange={(enabled) => set({ enabled })}
          />
        </div>
      </section>
      <section className="card" aria-label={t('device.connection')}>
        <h2>{t('device.connection')}</h2>
        <div className="grid-fields">
          <TextField
            label={t('device.host')}
            hint={t('device.hostHint')}
            value={text.host}
            onChange={(host) => set({ host })}
            error={message('host', '/settings/host')}
          />
          <TextField
            label={t('device.port')}
            inputMode="numeric"
            value={text.port}
            onChange={(port) => set({ port })}
            error={message('port', '/settings/port')}
          />
          <TextField
            label={t('device.unit')}
            inputMode="numeric"
            value={text.unit}
            onChange={(unit) => set({ unit })}
            error={message('unit', '/settings/unit')}
          />
          <TextField
            label={t('device.timeout')}
            inputMode="numeric"
            value={text.timeout}
            onChange={(timeout) => set({ timeout })}
            error={message('timeout', '/settings/timeout_ms')}
          />
          <TextField
            label={t('device.poll')}
            inputMode="numeric"
            value={text.poll}
            onChange={(poll) => set({ poll })}
            error={message('poll', '/settings/poll_ms')}
          />
          <TextField
            label={t('device.gap')}
            hint={t('device.gapHint')}
            inputMode="numeric"
            value={text.gap}
            onChange={(gap) => set({ gap })}
            error={message('gap', '/settings/gap_registers')}
          />
          <SelectField
            label={t('device.wordOrder')}
            hint={t('device.wordOrderHint')}
            value={text.wordOrder}
            onChange={(order) => set({ wordOrder: WORD_ORDERS.find((name) => name === order) ?? 'ABCD' })}
            error={fieldError(problem, '/settings/word_order')}
          >
            {WORD_ORDERS.map((order) => (
              <option key={order} value={order}>
                {order}
              </option>
            ))}
          </SelectField>
        </div>
      </section>
      <PointsEditor
        points={text.points}
        nextKey={text.nextKey}
        errors={shownErrors.points}
        said={(index, field) => fieldError(problem, `/points/${index}/${field}`)}
        values={test.report?.values}
        assets={assets.data?.items ?? []}
        onChange={(points, nextKey) => set({ points, nextKey })}
      />
      <footer className="form-bar">
        <div className="form-said" role="status">
          {shownErrors.count > 0 ? (
            <p className="tone-bad">{t('state.fieldsWrong', { count: shownErrors.count })}</p>
          ) : null}
          {test.report ? (
            <p className="test-report">
              <Icon name="check" />
              {t('device.testDone', { latency: test.report.latency_ms.toFixed(1) })}{' '}
              <span className="muted">{test.report.message}</span>
            </p>
          ) : null}
          {problem ? <ProblemPanel error={problem} placed={placed} /> : null}
          {error instanceof ApiError && error.code === 'version-conflict' ? (
            <p>{t('device.conflictAdvice')}</p>
          ) : null}
        </div>
        <div className="form-foot">
          <Button
            icon={test.running === 'live' ? 'pause' : 'eye'}
            label={test.running === 'live' ? t('device.previewStop') : t('device.preview')}
            aria-pressed={test.running === 'live'}
            onClick={() => (test.running === 'live' ? test.stop() : runTest(true))}
          />
          <Button
            icon="play"
            label={t('device.test')}
            busy={test.running === 'once'}
            onClick={() => runTest(false)}
          />
          <span className="spring" />
          <Link href={cancel} className="button button-plain">
            {t('action.cancel')}
          </Link>
          <Button
            kind="primary"
            type="submit"
            label={device ? t('action.save') : t('device.create')}
            busy={busy === 'save'}
          />
        </div>
      </footer>
    </form>
  );
}

function placed(field: string): boolean {
  return /^\/(name|id|asset|grade|settings\/\w+|points\/\d+\/(name|unit|asset|address(\/\w+)?|range(\/\w+)?|poll_ms|scaling\/0\/\w+|write\/\w+))$/.test(
    field,
  );
}

/** Tests once, or again and again as a live preview; always what the form says at that moment. */
function useTest(text: DeviceText, device: Device | undefined) {
  const [running, setRunning] = useState<'once' | 'live' | null>(null);
  const [report, setReport] = useState<TestReport>();
  const [error, setError] = useState<unknown>();
  const now = useRef(text);
  useEffect(() => {
    now.current = text;
  });
  useEffect(() => {
    if (!running) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      // A form that is being changed is tested again once it makes sense.
      if (deviceErrors(now.current, true).count === 0 && !document.hidden) {
        try {
          const body = {
            ...deviceDraft(now.current, device, new Date()),
            ...(device ? { id: device.id } : {}),
          };
          setReport(await post<TestReport>('/devices/test', body, stop.signal));
          setError(undefined);
        } catch (failure) {
          if (stop.signal.aborted) return;
          setReport(undefined);
          setError(failure);
        }
      }
      if (stop.signal.aborted) return;
      if (running === 'once') setRunning(null);
      else timer = setTimeout(() => void read(), PREVIEW_PAUSE_MS);
    };
    void read();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [running, device]);
  return {
    running,
    report,
    error,
    start: (keep: boolean) => {
      setError(undefined);
      setReport(undefined);
      setRunning(keep ? 'live' : 'once');
    },
    stop: () => setRunning(null),
  };
}
