import { useState, type FormEvent } from 'react';
import { post, withId } from '../api/client';
import type { BrowseItem, Json } from '../api/types';
import { useT } from '../i18n/i18n';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { TextField } from '../ui/Field';
import { argumentOf } from './argument';
import { DeviceFailure } from './DeviceFailure';

/** Most arguments of one call. */
const ARGUMENTS_MAX = 32;

type Step = { kind: 'enter' } | { kind: 'confirm' } | { kind: 'done'; results: Json[] };

/** Calls a method of a device: arguments, a second look, then the call and what it answered. */
export function CallDialog({ device, item, onClose }: { device: string; item: BrowseItem; onClose: () => void }) {
  const { t } = useT();
  const [texts, setTexts] = useState<string[]>([]);
  const [step, setStep] = useState<Step>({ kind: 'enter' });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const values = texts.map(argumentOf);

  const next = (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    setStep({ kind: 'confirm' });
  };
  const call = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const answer = await post<{ results: Json[] }>(withId('/devices', device, '/call'), {
        method: item.method,
        arguments: values,
        confirm: true,
      });
      setStep({ kind: 'done', results: answer.results });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('call.title', { name: item.name })} onClose={onClose}>
      {item.description ? <p className="muted">{item.description}</p> : null}
      {step.kind === 'enter' ? (
        <form className="form" onSubmit={next}>
          {texts.map((text, index) => (
            <div key={index} className="call-argument">
              <TextField
                label={t('call.argument', { number: index + 1 })}
                value={text}
                autoFocus={index === texts.length - 1}
                onChange={(value) => setTexts(texts.map((one, place) => (place === index ? value : one)))}
              />
              <Button
                kind="quiet"
                icon="trash"
                iconOnly
                label={t('call.removeArgument', { number: index + 1 })}
                onClick={() => setTexts(texts.filter((_text, place) => place !== index))}
              />
            </div>
          ))}
          <p className="field-hint">{t('call.argumentHint')}</p>
          <div className="form-foot">
            <Button
              icon="plus"
              label={t('call.addArgument')}
              disabled={texts.length >= ARGUMENTS_MAX}
              onClick={() => setTexts([...texts, ''])}
            />
            <span className="spring" />
            <Button label={t('action.cancel')} onClick={onClose} />
            <Button kind="primary" type="submit" label={t('write.check')} />
          </div>
        </form>
      ) : null}
      {step.kind === 'confirm' ? (
        <>
          <p>{t('call.confirmText')}</p>
          <pre>{`${item.name}(${values.map((value) => JSON.stringify(value)).join(', ')})`}</pre>
          {error ? <DeviceFailure error={error} /> : null}
          <div className="form-foot">
            {/* The focus is on the way back: pressing Enter twice must not start a machine. */}
            <Button label={t('action.back')} onClick={() => setStep({ kind: 'enter' })} autoFocus />
            <Button kind="danger" label={t('call.call')} busy={busy} onClick={() => void call()} />
          </div>
        </>
      ) : null}
      {step.kind === 'done' ? (
        <>
          <p role="status">{t('call.done')}</p>
          {step.results.length > 0 ? (
            <pre>{step.results.map((result) => JSON.stringify(result)).join('\n')}</pre>
          ) : (
            <p className="muted">{t('call.noResults')}</p>
          )}
          <div className="form-foot">
            <Button kind="primary" label={t('action.close')} onClick={onClose} autoFocus />
          </div>
        </>
      ) : null}
    </Dialog>
  );
}
