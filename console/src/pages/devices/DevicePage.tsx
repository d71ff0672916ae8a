import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { getAll, post, remove, withId } from '../../api/client';
import { useAssets, useDevice } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Device, Tag } from '../../api/types';
import { addressText } from '../../format/modbus';
import { displayName } from '../../format/name';
import { formatDuration, formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button, LinkButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Copyable } from '../../ui/Copy';
import { CheckField } from '../../ui/Field';
import { Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { DeviceStateMark, LiveQuality, LiveTime, LiveValue } from '../../ui/Status';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { TREND_TAGS_MAX } from '../../url/trend';
import { isCounter } from './counters';
import './devices.css';

/** Points shown live; more are in the tag browser. */
const POINTS_SHOWN_MAX = 200;

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
  const [deleting, setDeleting] = useState(false);
  const [withTags, setWithTags] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const [busy, setBusy] = useState(false);

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
  const name = displayName(body, language);
  const asset = body.asset ? assets.data?.byId.get(body.asset) : undefined;
  const restart = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await post(withId('/devices', id, '/restart'));
      say(t('device.restarted', { name }));
      await queries.invalidateQueries({ queryKey: ['devices'] });
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  const drop = async () => {
    await remove(withId('/devices', id) + (withTags ? '?tags=delete' : ''), etag);
    say(t('device.deleted', { name }));
    navigate('/devices');
    queries.removeQueries({ queryKey: ['devices', id] });
    await queries.invalidateQueries();
  };
  const status = body.status;
  const count = new Intl.NumberFormat(language);
  const points = body.points ?? [];
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
            {may('device:write') ? (
              <Button icon="restart" label={t('device.restart')} busy={busy} onClick={() => void restart()} />
            ) : null}
            {may('device:write') && body.protocol === 'modbus' ? (
              <LinkButton icon="edit" label={t('action.edit')} to={href('/device/edit', { id })} />
            ) : null}
            {may('device:write') ? (
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
          {status?.reason ? <p className="reason">{status.reason}</p> : null}
          {status?.next_attempt ? (
            <p className="muted">{t('device.nextAttempt', { time: formatTime(status.next_attempt) })}</p>
          ) : null}
          <dl className="counters">
            {Object.entries(status?.counters ?? {}).map(([counter, value]) => (
              <div key={counter}>
                <dt>{isCounter(counter) ? t(`counter.${counter}`) : counter}</dt>
                <dd>{counter === 'last_latency_ms' ? value.toFixed(1) : count.format(value)}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section className="card" aria-label={t('device.connection')}>
          <h2>{t('device.connection')}</h2>
          <Facts
            items={[
              [t('tag.protocol'), body.protocol],
              [t('device.host'), `${body.settings.host}:${body.settings.port}`],
              [t('device.unit'), body.settings.unit],
              [t('device.timeout'), body.settings.timeout_ms],
              [t('device.poll'), body.settings.poll_ms],
              [t('device.wordOrder'), body.settings.word_order],
              [
                t('tags.asset'),
                body.asset ? (
                  <Link href={href('/', { asset: body.asset })}>
                    {asset ? displayName(asset, language) : body.asset}
                  </Link>
                ) : null,
              ],
              [
                t('field.grade'),
                body.own_grade
                  ? t(`grade.${body.grade}`)
                  : `${t(`grade.${body.grade}`)} (${t('field.gradeInherited')})`,
              ],
            ]}
          />
        </section>
      </div>
      <LivePoints device={body} />
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

function LivePoints({ device }: { device: Device }) {
  const { t, language } = useT();
  const tags = useQuery({
    queryKey: ['tags', 'device', device.id, device.version],
    queryFn: ({ signal }) => getAll<Tag>('/tags', { device: device.id }, POINTS_SHOWN_MAX, signal),
  });
  const items = tags.data?.items ?? [];
  if (tags.error) return <ProblemPanel error={tags.error} retry={() => void tags.refetch()} />;
  if (items.length === 0) return null;
  return (
    <section className="card" aria-label={t('points.title')}>
      <h2>{t('points.title')}</h2>
      <TableBox label={t('points.title')}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('tags.name')}</th>
              <th scope="col">{t('tag.address')}</th>
              <th scope="col" className="number-cell">
                {t('tags.value')}
              </th>
              <th scope="col">{t('tags.quality')}</th>
              <th scope="col">{t('tags.time')}</th>
            </tr>
          </thead>
          <tbody>
            {items.map((tag) => (
              <tr key={tag.id}>
                <th scope="row">
                  <Link href={href('/tag', { id: tag.id })}>{displayName(tag, language)}</Link>
                </th>
                <td>{tag.source ? addressText(tag.source.address, t) : ''}</td>
                <td className="number-cell">
                  <LiveValue tag={tag} />
                </td>
                <td>
                  <LiveQuality tag={tag} />
                </td>
                <td className="time-cell">
                  <LiveTime tag={tag} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {tags.data?.more ? (
        <p className="more">
          <Link href={href('/tags', { device: device.id })}>
            {t('overview.allTags', { count: device.points?.length ?? '' })}
          </Link>
        </p>
      ) : null}
    </section>
  );
}
