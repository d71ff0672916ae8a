import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { patch, post, remove, withId } from '../../api/client';
import { isKeptSecret, type ProtocolSchema } from '../../api/protocols';
import { useAssets, useDevice, useProtocols } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Device, Json, JsonObject } from '../../api/types';
import { downloadCsv, fileName } from '../../csv/csv';
import { CertificateReview } from '../../device/CertificateReview';
import { displayName } from '../../format/name';
import { formatDuration, formatTime } from '../../format/time';
import { useT, type Translate } from '../../i18n/i18n';
import { choiceTitle, fieldsOf, matters, textIn, titleOf, trustField, withTrusted } from '../../schema/schema';
import { Button, LinkButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Copyable } from '../../ui/Copy';
import { CheckField } from '../../ui/Field';
import { Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { DeviceStateMark } from '../../ui/Status';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { TREND_TAGS_MAX } from '../../url/trend';
import { SaveTemplateDialog } from '../templates/SaveTemplateDialog';
import { isCounter } from './counters';
import { DeviceLog } from './DeviceLog';
import { DevicePoints } from './DevicePoints';
import { exported } from './export';
import './devices.css';

/** A device: how it is doing and what to do about it, how it is reached, what it reads. */
export default function DevicePage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [, navigate] = useLocation();
  const [search] = useSearchState();
  const id = search.get('id') ?? '';
  const device = useDevice(id, true);
  const assets = useAssets();
  const protocols = useProtocols();
  const [deleting, setDeleting] = useState(false);
  const [keeping, setKeeping] = useState(false);
  const [withTags, setWithTags] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const [busy, setBusy] = useState<string>();

  if (device.error && !device.data) {
    return (
      <>
        <PageHead title={t('device.title')} note={<code>{id}</code>} />
        <ProblemPanel error={device.error} retry={() => void device.refetch()} />
      </>
    );
  }
  if (!device.data) return <Loading />;
  const { body, etag } = device.data;
  const schema = protocols.data?.find((one) => one.protocol === body.protocol)?.schema;
  const name = displayName(body, language);
  const points = body.points ?? [];
  const canChange = may('device:write');
  const act = async (what: string, work: () => Promise<void>) => {
    setBusy(what);
    setFailure(undefined);
    try {
      await work();
      await queries.invalidateQueries({ queryKey: ['devices'] });
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(undefined);
    }
  };
  const change = (what: string, part: JsonObject, text: string) =>
    act(what, async () => {
      await patch<Device>(withId('/devices', id), part, etag);
      say(text);
    });
  const restart = () =>
    act('restart', async () => {
      await post(withId('/devices', id, '/restart'));
      say(t('device.restarted', { name }));
    });
  const trust = (thumbprint: string) => {
    const field = schema && trustField(schema.settings);
    if (!field) return undefined;
    const trusted = Array.isArray(body.settings[field]) ? body.settings[field].map(String) : [];
    const settings = { [field]: withTrusted(schema.settings, trusted, thumbprint) };
    return change('trust', { settings }, t('certificate.trusted'));
  };
  const exportCsv = () =>
    act('export', async () => {
      downloadCsv(fileName(id, new Date()), await exported([id]));
    });
  const drop = async () => {
    await remove(withId('/devices', id) + (withTags ? '?tags=delete' : ''), etag);
    say(t('device.deleted', { name }));
    navigate('/devices');
    queries.removeQueries({ queryKey: ['devices', id] });
    await queries.invalidateQueries();
  };
  return (
    <>
      <PageHead
        title={name}
        note={<Copyable text={body.id} />}
        actions={
          <>
            {points.length > 0 && may('sample:read') ? (
              <LinkButton
                icon="trend"
                label={t('nav.trend')}
                to={href('/trend', {
                  tag: points.slice(0, TREND_TAGS_MAX).map((point) => point.id),
                  range: '1h',
                })}
              />
            ) : null}
            {canChange ? (
              <>
                <Button
                  icon="restart"
                  label={t('device.restart')}
                  busy={busy === 'restart'}
                  disabled={!body.enabled}
                  onClick={() => void restart()}
                />
                <Button
                  icon={body.enabled ? 'pause' : 'play'}
                  label={body.enabled ? t('device.disable') : t('device.enable')}
                  busy={busy === 'enabled'}
                  onClick={() =>
                    void change(
                      'enabled',
                      { enabled: !body.enabled },
                      body.enabled ? t('device.disabledNow', { name }) : t('device.enabledNow', { name }),
                    )
                  }
                />
                {schema ? (
                  <LinkButton icon="edit" label={t('action.edit')} to={href('/device/edit', { id })} />
                ) : null}
              </>
            ) : null}
            <Button
              icon="download"
              label={t('action.exportCsv')}
              busy={busy === 'export'}
              onClick={() => void exportCsv()}
            />
            {canChange ? (
              <Button
                kind="quiet"
                icon="trash"
                label={t('action.delete')}
                onClick={() => setDeleting(true)}
              />
            ) : null}
          </>
        }
      />
      {failure ? <ProblemPanel error={failure} /> : null}
      <div className="device-grid">
        <State
          device={body}
          onTrust={canChange && schema && trustField(schema.settings) ? (one) => void trust(one) : undefined}
          busy={busy === 'trust'}
        />
        <section className="card" aria-label={t('device.connection')}>
          <header className="card-head">
            <h2>{t('device.connection')}</h2>
            {canChange && schema ? (
              <Button kind="quiet" icon="copy" label={t('templates.saveAs')} onClick={() => setKeeping(true)} />
            ) : null}
          </header>
          <Facts
            items={[
              [t('tag.protocol'), (schema && textIn(schema['x-title'], language)) ?? body.protocol],
              ...settingFacts(body.settings, schema, language, t),
              [
                t('tags.asset'),
                body.asset ? (
                  <Link href={href('/', { asset: body.asset })}>
                    {displayName(assets.data?.byId.get(body.asset) ?? { name: body.asset }, language)}
                  </Link>
                ) : null,
              ],
              [
                t('field.grade'),
                body.own_grade
                  ? t(`grade.${body.grade}`)
                  : t('field.gradeOfParent', { grade: t(`grade.${body.grade}`) }),
              ],
            ]}
          />
        </section>
      </div>
      <DevicePoints device={body} schema={schema} canChange={canChange && schema !== undefined} />
      <DeviceLog device={id} />
      {keeping && schema ? (
        <SaveTemplateDialog
          device={body}
          schema={schema}
          onClose={() => setKeeping(false)}
          onDone={(text) => {
            setKeeping(false);
            say(text);
          }}
        />
      ) : null}
      {deleting ? (
        <ConfirmDialog
          title={t('device.deleteTitle', { name })}
          text={
            <>
              <p>{t('device.deleteText')}</p>
              {points.length > 0 && may('tag:write') ? (
                <CheckField
                  label={t('device.deleteTags', { count: points.length })}
                  hint={t('device.deleteTagsHint')}
                  checked={withTags}
                  onChange={setWithTags}
                />
              ) : null}
            </>
          }
          action={t('action.delete')}
          danger
          onConfirm={drop}
          onClose={() => setDeleting(false)}
        />
      ) : null}
    </>
  );
}

interface StateProps {
  device: Device;
  onTrust: ((thumbprint: string) => void) | undefined;
  busy: boolean;
}

/** What the device is doing, why, and what to do. */
function State({ device, onTrust, busy }: StateProps) {
  const { t, language } = useT();
  const { status } = device;
  const count = new Intl.NumberFormat(language);
  const certificate = status?.certificate;
  return (
    <section className="card" aria-label={t('device.status')}>
      <h2>{t('device.status')}</h2>
      <p className="device-state">
        <DeviceStateMark state={status?.state} />
        {status?.since ? (
          <span className="muted">
            {t('device.since', {
              duration: formatDuration((Date.now() - Date.parse(status.since)) / 1000),
            })}
          </span>
        ) : null}
      </p>
      {status?.reason ? <p className="device-reason">{status.reason}</p> : null}
      {status && status.state !== 'online' ? (
        <p className="muted">{certificate ? t('advice.untrusted') : t(`advice.${status.state}`)}</p>
      ) : null}
      {status?.next_attempt ? (
        <p className="muted">{t('device.nextAttempt', { time: formatTime(status.next_attempt) })}</p>
      ) : null}
      {certificate ? (
        <CertificateReview
          certificate={certificate}
          onTrust={onTrust ? () => onTrust(certificate.thumbprint) : undefined}
          busy={busy}
        />
      ) : null}
      <dl className="counters">
        {status ? (
          <div>
            <dt>{t('device.pointsBad')}</dt>
            <dd className={status.points_bad > 0 ? 'tone-warn' : undefined}>
              {count.format(status.points_bad)} / {count.format(status.points)}
            </dd>
          </div>
        ) : null}
        {Object.entries(status?.counters ?? {}).map(([counter, value]) => (
          <div key={counter}>
            <dt>{isCounter(counter) ? t(`counter.${counter}`) : counter}</dt>
            <dd>{counter === 'last_latency_ms' ? value.toFixed(1) : count.format(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The settings in the words of their schema; those that do not matter for the choices made are left out. */
function settingFacts(
  settings: JsonObject,
  schema: ProtocolSchema | undefined,
  language: string,
  t: Translate,
): [string, ReactNode][] {
  if (!schema) return Object.entries(settings).map(([name, value]) => [name, plainText(value, t)]);
  return fieldsOf(schema.settings)
    .filter(([name]) => name in settings && matters(schema.settings, name, settings))
    .filter(([name]) => settings[name] !== null)
    .map(([name, field]) => {
      const value = settings[name]!;
      const text = field['x-trust']
        ? t('certificate.count', { count: Array.isArray(value) ? value.length : 0 })
        : field.enum
          ? choiceTitle(field, value, language)
          : plainText(value, t);
      return [titleOf(name, field, language), text];
    });
}

/** Longest setting shown; a query or a key is looked at where it is edited. */
const SETTING_LENGTH_MAX = 200;

function plainText(value: Json | undefined, t: Translate): string {
  if (isKeptSecret(value)) return t('schema.secretKept');
  if (typeof value === 'boolean') return value ? t('schema.yes') : t('schema.no');
  const text = Array.isArray(value)
    ? value.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(', ')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value ?? null);
  return text.length > SETTING_LENGTH_MAX ? `${text.slice(0, SETTING_LENGTH_MAX)}…` : text;
}
