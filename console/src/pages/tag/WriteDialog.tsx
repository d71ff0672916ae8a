import { useState, type FormEvent } from 'react';
import { post, withId } from '../../api/client';
import type { Tag, Value, WriteReport } from '../../api/types';
import { displayName } from '../../format/name';
import { formatTime } from '../../format/time';
import { formatValue, parseValue, toNumber } from '../../format/value';
import { useT } from '../../i18n/i18n';
import { useLast } from '../../live/live';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField, TextField } from '../../ui/Field';
import { Facts } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { unitText } from '../../ui/Status';

type Step = { kind: 'enter' } | { kind: 'confirm'; value: Value } | { kind: 'done'; report: WriteReport };

/** Writes a value to the device: typed, looked at once more beside the present one, then written and read back. */
export function WriteDialog({ tag, onClose }: { tag: Tag; onClose: () => void }) {
  const { t, language } = useT();
  const last = useLast(tag.id, tag.last);
  const [text, setText] = useState('');
  const [step, setStep] = useState<Step>({ kind: 'enter' });
  const [wrong, setWrong] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const limits = tag.source?.write;
  const unit = unitText(tag);
  const show = (value: Value | undefined) => `${formatValue(value, tag)} ${unit}`.trim();
  const hint =
    limits && (limits.min !== null || limits.max !== null)
      ? t('write.limits', { min: limits.min ?? '−∞', max: limits.max ?? '∞', unit })
      : undefined;

  const next = (event: FormEvent) => {
    event.preventDefault();
    const value = parseValue(text, tag.data_type);
    const number = value === undefined ? null : toNumber(value);
    if (value === undefined) setWrong(t('write.notAValue', { type: t(`dataType.${tag.data_type}`) }));
    else if (number !== null && ((limits?.min ?? -Infinity) > number || (limits?.max ?? Infinity) < number))
      setWrong(hint);
    else {
      setWrong(undefined);
      setStep({ kind: 'confirm', value });
    }
  };
  const write = async (value: Value) => {
    setBusy(true);
    setError(undefined);
    try {
      setStep({
        kind: 'done',
        report: await post<WriteReport>(withId('/tags', tag.id, '/write'), { value, confirm: true }),
      });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const choices =
    tag.data_type === 'bool'
      ? [
          ['true', 'ON'],
          ['false', 'OFF'],
        ]
      : Object.keys(tag.labels).length > 0
        ? Object.entries(tag.labels)
        : undefined;
  return (
    <Dialog title={t('write.title', { name: displayName(tag, language) })} onClose={onClose}>
      {step.kind === 'enter' ? (
        <form className="form" onSubmit={next}>
          <Facts items={[[t('write.now'), last ? show(last.value) : null]]} />
          {choices ? (
            <SelectField
              label={t('write.value')}
              value={text}
              onChange={setText}
              error={wrong}
              hint={wrong ? undefined : hint}
              autoFocus
            >
              <option value="">{t('write.choose')}</option>
              {choices.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </SelectField>
          ) : (
            <TextField
              label={unit ? `${t('write.value')} (${unit})` : t('write.value')}
              value={text}
              onChange={setText}
              error={wrong}
              hint={wrong ? undefined : hint}
              inputMode={tag.data_type === 'text' ? 'text' : 'decimal'}
              autoFocus
              required
            />
          )}
          <div className="form-foot">
            <Button label={t('action.cancel')} onClick={onClose} />
            <Button kind="primary" type="submit" label={t('write.check')} />
          </div>
        </form>
      ) : null}
      {step.kind === 'confirm' ? (
        <>
          <p>{t('write.confirmText')}</p>
          <BeforeAfter before={show(last?.value)} after={show(step.value)} />
          {error ? <ProblemPanel error={error} /> : null}
          <div className="form-foot">
            {/* The focus is on the way back: pressing Enter twice must not move a valve. */}
            <Button label={t('action.back')} onClick={() => setStep({ kind: 'enter' })} autoFocus />
            <Button
              kind="danger"
              label={t('write.write')}
              busy={busy}
              onClick={() => void write(step.value)}
            />
          </div>
        </>
      ) : null}
      {step.kind === 'done' ? (
        <>
          <BeforeAfter before={show(step.report.before)} after={show(step.report.after)} />
          {step.report.verified ? null : (
            <p className="banner" role="alert">
              {t('write.notVerified')}
            </p>
          )}
          <Facts
            items={[
              [t('write.requested'), show(step.report.requested)],
              [t('tags.time'), formatTime(step.report.time, true)],
            ]}
          />
          <div className="form-foot">
            <Button kind="primary" label={t('action.close')} onClick={onClose} autoFocus />
          </div>
        </>
      ) : null}
    </Dialog>
  );
}

function BeforeAfter({ before, after }: { before: string; after: string }) {
  const { t } = useT();
  return (
    <dl className="before-after">
      <div>
        <dt>{t('write.before')}</dt>
        <dd>{before}</dd>
      </div>
      <div>
        <dt>{t('write.after')}</dt>
        <dd>{after}</dd>
      </div>
    </dl>
  );
}
