import { useEffect, useRef, useState } from 'react';
import { post } from '../api/client';
import type { ProtocolSchema } from '../api/protocols';
import type { Discovered } from '../api/types';
import { useT } from '../i18n/i18n';
import { formOf, jsonOf, type FormErrors, type FormValues } from '../schema/form';
import { SchemaFields } from '../schema/SchemaFields';
import { trustField } from '../schema/schema';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { CertificateReview } from './CertificateReview';
import { DeviceFailure } from './DeviceFailure';
import type { DeviceTest } from './deviceTest';
import { trusting } from './draft';
import './device.css';

interface ConnectionProps {
  protocol: string;
  schema: ProtocolSchema;
  value: FormValues;
  onChange: (settings: FormValues) => void;
  errors: FormErrors | undefined;
  /** What the node said of a field, by pointer below the settings. */
  said: (pointer: string) => string | undefined;
  test: DeviceTest;
  /** Tests with these settings, which may be newer than the form's. */
  onTest: (settings: FormValues) => void;
  /** The device whose kept secrets are used. */
  device?: string | undefined;
  autoFocus?: boolean;
}

/** How a device is reached: its settings, what is found there, its certificate, and whether it answers. */
export function Connection(props: ConnectionProps) {
  const { protocol, schema, value, onChange, errors, said, test, onTest, device, autoFocus } = props;
  const { t } = useT();
  const [found, setFound] = useState<Discovered[]>();
  const [searching, setSearching] = useState(false);
  const [error, setError] = useState<unknown>();
  const [review, setReview] = useState<Discovered>();
  const stop = useRef<AbortController>(undefined);
  useEffect(() => () => stop.current?.abort(), []);

  const discover = async () => {
    stop.current?.abort();
    stop.current = new AbortController();
    const { signal } = stop.current;
    test.clear();
    setSearching(true);
    setError(undefined);
    setFound(undefined);
    setReview(undefined);
    try {
      const body = { protocol, settings: jsonOf(schema.settings, value), ...(device ? { device } : {}) };
      setFound((await post<{ items: Discovered[] }>('/devices/discover', body, signal)).items);
    } catch (failure) {
      if (!signal.aborted) setError(failure);
    } finally {
      if (!signal.aborted) setSearching(false);
    }
  };
  // What was found completes what was typed; secrets stay as they were typed.
  const isNews = (name: string, one: Discovered) =>
    name in one.settings && !schema.settings.properties?.[name]?.['x-secret'];
  const merged = (one: Discovered): FormValues => ({
    ...value,
    ...Object.fromEntries(
      Object.entries(formOf(schema.settings, one.settings)).filter(([name]) => isNews(name, one)),
    ),
  });
  const take = (one: Discovered) => {
    const settings = merged(one);
    setFound(undefined);
    onChange(settings);
    const trust = trustField(schema.settings);
    const trusted = trust && Array.isArray(settings[trust]) ? (settings[trust] as string[]) : [];
    if (one.certificate && trust && !trusted.includes(one.certificate.thumbprint)) setReview(one);
    else onTest(settings);
  };
  const trust = (thumbprint: string) => {
    const settings = trusting(value, schema, thumbprint);
    setReview(undefined);
    setError(undefined);
    onChange(settings);
    onTest(settings);
  };
  // What came of it is not left behind the edge of the screen.
  const result = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (found || error || review || test.error || test.report)
      result.current?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }, [found, error, review, test.error, test.report]);
  return (
    <div className="connection">
      <SchemaFields
        schema={schema.settings}
        value={value}
        onChange={onChange}
        errors={errors}
        said={said}
        autoFocus={autoFocus ?? false}
      />
      <div className="row connection-actions">
        {schema.abilities.discover ? (
          <Button
            icon="search"
            label={t('connection.discover')}
            busy={searching}
            onClick={() => void discover()}
          />
        ) : null}
        {searching ? (
          <Button
            label={t('action.cancel')}
            onClick={() => {
              stop.current?.abort();
              setSearching(false);
            }}
          />
        ) : null}
        <Button
          icon="play"
          label={t('device.test')}
          busy={test.running === 'once'}
          onClick={() => onTest(value)}
        />
      </div>
      <div ref={result} className="connection-result">
      {searching ? (
        <p className="muted" role="status">
          {t('connection.searching')}
        </p>
      ) : null}
      {found ? (
        <section className="found" aria-label={t('connection.found')}>
          <h3>{found.length > 0 ? t('connection.found') : t('connection.foundNothing')}</h3>
          <ul>
            {found.map((one, index) => (
              <li key={index}>
                <button type="button" className="found-one" onClick={() => take(one)} autoFocus={index === 0}>
                  <strong>{one.name}</strong>
                  {one.detail ? <span className="muted">{one.detail}</span> : null}
                </button>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      {error ? <DeviceFailure error={error} onTrust={trustField(schema.settings) ? trust : undefined} /> : null}
      {review?.certificate ? (
        <CertificateReview
          certificate={review.certificate}
          onTrust={() => trust(review.certificate!.thumbprint)}
        />
      ) : null}
      {test.error ? (
        <DeviceFailure
          error={test.error}
          placed={(field) => field.startsWith('/settings/')}
          onTrust={trustField(schema.settings) ? trust : undefined}
        />
      ) : null}
      {test.report && test.running === null ? (
        <p className="test-report" role="status">
          <Icon name="check" />
          {t('device.testDone', { latency: test.report.latency_ms.toFixed(1) })}{' '}
          <span className="muted">{test.report.message}</span>
        </p>
      ) : null}
      </div>
    </div>
  );
}
