import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { get, post, withId } from '../../api/client';
import type { Protocol, ProtocolSchema } from '../../api/protocols';
import { useProtocols } from '../../api/queries';
import type { Device, Template } from '../../api/types';
import { deviceDraft, deviceText, keptText, suggestedName, type DeviceText } from '../../device/draft';
import { useDeviceTest } from '../../device/deviceTest';
import { textOfTemplate } from '../../device/template';
import { useT } from '../../i18n/i18n';
import { pointsErrors } from '../../points/points';
import { errorsOf, type FormValues } from '../../schema/form';
import { textIn } from '../../schema/schema';
import { Button } from '../../ui/Button';
import { useDraft } from '../../ui/draft';
import { Loading, PageHead } from '../../ui/Page';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { ConnectionStep } from './ConnectionStep';
import { FinishStep } from './FinishStep';
import { ProtocolStep } from './ProtocolStep';
import { TemplateChoice } from './TemplateChoice';
import { ValuesStep } from './ValuesStep';
import { nextStep, reachable, stepBefore, stepOf, STEPS, type Step } from './wizard';
import './wizard.css';

const DRAFT = 'device.new';

export default function NewDevicePage() {
  const { t } = useT();
  const protocols = useProtocols();
  return (
    <>
      <PageHead title={t('device.new')} />
      {protocols.error ? (
        <ProblemPanel error={protocols.error} retry={() => void protocols.refetch()} />
      ) : protocols.data ? (
        <Wizard protocols={protocols.data} />
      ) : (
        <Loading />
      )}
    </>
  );
}

/** A device in four steps: what it speaks, how it is reached, what is read, what it is called. */
function Wizard({ protocols }: { protocols: Protocol[] }) {
  const { t, language } = useT();
  const queries = useQueryClient();
  const say = useToast();
  const [, navigate] = useLocation();
  const [search, setSearch] = useSearchState();
  const schemaOf = (protocol: string | undefined): ProtocolSchema | undefined =>
    protocols.find((one) => one.protocol === protocol)?.schema;
  const draft = useDraft<DeviceText | null>(DRAFT, null, (text) => text && keptText(text, schemaOf(text.protocol)));
  // A draft of a protocol that the node no longer speaks is none.
  const schema = schemaOf(draft.value?.protocol);
  const text = schema ? (draft.value ?? undefined) : undefined;
  const [checked, setChecked] = useState<Record<'settings' | 'points', boolean>>({
    settings: false,
    points: false,
  });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  /** The settings with which the device answered. */
  const [answered, setAnswered] = useState('');

  const settingsErrors = useMemo(
    () => (schema && text ? errorsOf(schema.settings, text.settings) : new Map()),
    [schema, text],
  );
  const wrongPoints = useMemo(
    () => (schema && text ? pointsErrors(text.points, schema.address) : new Map()),
    [schema, text],
  );
  const step = stepOf(search.get('step'), text, settingsErrors.size > 0);
  const last = reachable(text, settingsErrors.size > 0);
  const body = (settings?: FormValues, points = true) =>
    schema && text
      ? deviceDraft(
          { ...text, settings: settings ?? text.settings, points: points ? text.points : [] },
          schema,
          undefined,
          new Date(),
        )
      : undefined;
  const test = useDeviceTest(() => (settingsErrors.size + wrongPoints.size > 0 ? undefined : body()));
  const problem = error ?? test.error;

  const set = (part: Partial<DeviceText>) => draft.change((now) => (now ? { ...now, ...part } : now));
  const go = (to: Step) => {
    test.clear();
    setError(undefined);
    setSearch({ step: to, template: null });
    window.scrollTo(0, 0);
  };
  // A step is begun where its first field is, not where the one before ended.
  useEffect(() => {
    document.querySelector<HTMLElement>('.wizard-step [autofocus], .wizard-step input, .wizard-step button')?.focus({
      preventScroll: true,
    });
  }, [step]);

  const choose = (protocol: string) => {
    const chosen = schemaOf(protocol);
    if (!chosen) return;
    // Going back and choosing the same keeps what was typed.
    if (protocol !== text?.protocol || text.template) {
      draft.change(deviceText(protocol, chosen));
      setChecked({ settings: false, points: false });
      setAnswered('');
    }
    go('connection');
  };
  const begin = async (name: string) => {
    setError(undefined);
    try {
      const template = await get<Template>(withId('/templates', name));
      const known = schemaOf(template.protocol);
      if (!known) throw new Error(t('device.unknownProtocol', { protocol: template.protocol }));
      draft.change(textOfTemplate(template, known));
      setChecked({ settings: false, points: false });
      setAnswered('');
      go('connection');
    } catch (failure) {
      setSearch({ step: 'protocol', template: null });
      setError(failure);
    }
  };
  const asked = search.get('template');
  useEffect(() => {
    if (asked) void begin(asked);
    // Once for each template that a link names.
  }, [asked]);
  const tryOut = async (settings: FormValues): Promise<boolean> => {
    if (!schema) return false;
    setError(undefined);
    if (errorsOf(schema.settings, settings).size > 0) {
      setChecked((now) => ({ ...now, settings: true }));
      focusFirstError();
      return false;
    }
    const well = await test.once(body(settings, false));
    setAnswered(well ? JSON.stringify(settings) : '');
    return well;
  };
  const name = schema && text ? suggestedName(schema, text.template || (textIn(schema['x-title'], language) ?? schema.title), text.settings) : '';
  const forward = async () => {
    if (step === 'connection' && text) {
      if (answered !== JSON.stringify(text.settings) && !(await tryOut(text.settings))) return;
    }
    enter(nextStep(step));
  };
  const enter = (to: Step) => {
    if (to === 'finish' && text && !text.pair.zh && !text.pair.en)
      set({ pair: language === 'en' ? { zh: '', en: name } : { zh: name, en: '' } });
    go(to);
  };
  const save = async () => {
    setError(undefined);
    setChecked({ settings: true, points: true });
    const request = body();
    if (!request || settingsErrors.size > 0 || wrongPoints.size > 0) {
      focusFirstError();
      return;
    }
    test.stop();
    setBusy(true);
    try {
      const device = await post<Device>('/devices', request);
      draft.forget();
      await queries.invalidateQueries();
      say(t('device.created'));
      navigate(href('/device', { id: device.id }));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const said = (pointer: string) => fieldError(problem, pointer);
  return (
    <div className="wizard">
      <nav className="wizard-steps" aria-label={t('wizard.steps')}>
        <ol>
          {STEPS.map((one, index) => (
            <li key={one}>
              {STEPS.indexOf(one) <= STEPS.indexOf(last) ? (
                <Link
                  href={href('/devices/new', { step: one })}
                  aria-current={one === step ? 'step' : undefined}
                  onClick={(event) => {
                    event.preventDefault();
                    enter(one);
                  }}
                >
                  <span className="wizard-number">{index + 1}</span> {t(`wizard.${one}`)}
                </Link>
              ) : (
                <span className="muted">
                  <span className="wizard-number">{index + 1}</span> {t(`wizard.${one}`)}
                </span>
              )}
            </li>
          ))}
        </ol>
      </nav>
      {draft.restored && text ? (
        <p className="banner banner-calm">
          {t('wizard.restored')}
          <Button
            kind="quiet"
            label={t('wizard.anew')}
            onClick={() => {
              draft.discard(null);
              go('protocol');
            }}
          />
        </p>
      ) : null}
      <div className="wizard-step" key={step}>
        {step === 'protocol' || !text || !schema ? (
          <>
            {error ? <ProblemPanel error={error} /> : null}
            <TemplateChoice
              protocols={protocols}
              chosen={text?.template}
              onChoose={(one) => void begin(one)}
            />
            <ProtocolStep
              protocols={protocols}
              chosen={text?.template ? undefined : text?.protocol}
              onChoose={choose}
            />
          </>
        ) : step === 'connection' ? (
          <ConnectionStep
            protocol={text.protocol}
            schema={schema}
            text={text}
            errors={checked.settings ? settingsErrors : undefined}
            said={said}
            test={test}
            onChange={(settings) => {
              set({ settings });
              if (test.report || test.error) test.clear();
            }}
            onTest={(settings) => void tryOut(settings)}
            onForward={() => void forward()}
            onSkip={settingsErrors.size === 0 ? () => enter('values') : undefined}
            onBack={() => go(stepBefore(step))}
          />
        ) : step === 'values' ? (
          <ValuesStep
            schema={schema}
            text={text}
            set={set}
            onTrust={(settings) => {
              set({ settings });
              setAnswered('');
            }}
            onForward={() => enter('finish')}
            onBack={() => go(stepBefore(step))}
          />
        ) : (
          <FinishStep
            schema={schema}
            text={text}
            set={set}
            errors={checked.points ? wrongPoints : new Map()}
            ready={settingsErrors.size + wrongPoints.size === 0}
            said={said}
            problem={problem}
            test={test}
            busy={busy}
            onSave={() => void save()}
            onBack={() => go(stepBefore(step))}
          />
        )}
      </div>
    </div>
  );
}

function focusFirstError(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>('main [aria-invalid]')?.focus());
}
