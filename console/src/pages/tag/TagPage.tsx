import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { get, patch, remove, withId, withQuery } from '../../api/client';
import { useAssets, useDevice, useProtocols, useTag } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Page, Scaling, Tag, TagVersion } from '../../api/types';
import { displayName } from '../../format/name';
import { formatTime } from '../../format/time';
import { useT, type Translate } from '../../i18n/i18n';
import { addressText } from '../../schema/address';
import { textIn } from '../../schema/schema';
import { Button, LinkButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Copyable } from '../../ui/Copy';
import { Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { Sparkline } from '../../ui/Sparkline';
import { LiveQuality, LiveTime, LiveValue, unitText } from '../../ui/Status';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { changesBetween, oneLine } from './changes';
import { HistoryCard } from './history/HistoryCard';
import './tag.css';
import { TagDialog } from './TagDialog';
import { WaveformCard } from './waveform/WaveformCard';
import { WriteDialog } from './WriteDialog';

/** Versions shown; a record's whole history is in the audit. */
const VERSIONS_LIMIT = 50;

/** One tag: its value now, its record, where it comes from, and how the record changed. */
export default function TagPage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [search] = useSearchState();
  const id = search.get('id') ?? '';
  const tag = useTag(id);
  const assets = useAssets();
  const protocols = useProtocols();
  const [, navigate] = useLocation();
  const [open, setOpen] = useState<'edit' | 'write' | 'delete' | null>(null);
  const record = tag.data?.body;
  const device = useDevice(record?.device ?? '').data?.body;

  if (tag.error) {
    return (
      <>
        <PageHead title={t('tag.title')} note={<code>{id}</code>} />
        <ProblemPanel error={tag.error} retry={() => void tag.refetch()} />
      </>
    );
  }
  if (!record) return <Loading />;
  const asset = record.asset ? assets.data?.byId.get(record.asset) : undefined;
  const schema = protocols.data?.find((one) => one.protocol === record.protocol)?.schema;
  const write = record.source?.write;
  return (
    <>
      <PageHead
        title={displayName(record, language)}
        note={<Copyable text={record.id} />}
        actions={
          <>
            {may('sample:read') ? (
              <LinkButton
                kind="primary"
                icon="trend"
                label={t('nav.trend')}
                to={href('/trend', { tag: record.id, range: '1h' })}
              />
            ) : null}
            {write && may('device:control') ? (
              <Button icon="setpoint" label={t('write.write')} onClick={() => setOpen('write')} />
            ) : null}
            {may('tag:write') ? (
              <Button icon="edit" label={t('action.edit')} onClick={() => setOpen('edit')} />
            ) : null}
            <LinkButton icon="identify" label={t('asset.record')} to={href('/identify', { id: record.id })} />
            {may('tag:write') ? (
              <Button
                kind="quiet"
                icon="trash"
                iconOnly
                label={t('tag.delete')}
                onClick={() => setOpen('delete')}
              />
            ) : null}
          </>
        }
      />
      <div className="tag-grid">
        <section className="card tag-now" aria-label={t('tag.now')}>
          <h2>{t('tag.now')}</h2>
          <p
            className={
              record.data_type === 'array' || record.data_type === 'text'
                ? 'tag-value tag-value-long'
                : 'tag-value'
            }
          >
            <LiveValue tag={record} />
          </p>
          <p className="row">
            <LiveQuality tag={record} />
            <LiveTime tag={record} />
          </p>
          <Sparkline tag={record} />
        </section>
        <section className="card" aria-label={t('tag.record')}>
          <h2>{t('tag.record')}</h2>
          <Facts
            items={[
              [t('tag.names'), [...new Set([record.name, ...Object.values(record.names)])].join(' / ')],
              [t('field.description'), record.description],
              [
                t('tags.asset'),
                record.asset ? (
                  <Link href={href('/', { asset: record.asset })}>
                    {asset ? displayName(asset, language) : record.asset}
                  </Link>
                ) : null,
              ],
              [t('tag.dataType'), t(`dataType.${record.data_type}`)],
              [
                t('tag.unit'),
                record.unit
                  ? `${unitText(record)}${unitText(record) === record.unit ? '' : ` (${record.unit})`}`
                  : null,
              ],
              [
                t('tag.range'),
                record.range ? `${record.range.low} … ${record.range.high} ${unitText(record)}` : null,
              ],
              [
                t('tag.labels'),
                Object.entries(record.labels)
                  .map(([value, label]) => `${value} = ${label}`)
                  .join(', '),
              ],
              [
                t('tag.interpolation'),
                record.interpolation
                  ? t(record.interpolation === 'step' ? 'tag.interpolationStep' : 'tag.interpolationLinear')
                  : t('tag.interpolationOfType'),
              ],
              [
                t('field.grade'),
                record.own_grade
                  ? t(`grade.${record.grade}`)
                  : t('field.gradeOfParent', { grade: t(`grade.${record.grade}`) }),
              ],
              [t('tag.version'), record.version],
            ]}
          />
        </section>
        <section className="card" aria-label={t('tag.source')}>
          <h2>{t('tag.source')}</h2>
          <Facts
            items={[
              [t('tag.protocol'), textIn(schema?.['x-title'], language) ?? record.protocol],
              [
                t('tags.device'),
                record.device ? (
                  <Link href={href('/device', { id: record.device })}>
                    {device ? displayName(device, language) : record.device}
                  </Link>
                ) : null,
              ],
              [t('tag.address'), addressText(record.source?.address, schema?.address, language)],
              [
                t('tag.poll'),
                record.source?.poll_ms
                  ? `${record.source.poll_ms} ms`
                  : record.source
                    ? t('tag.pollOfDevice')
                    : null,
              ],
              [t('tag.scaling'), record.source?.scaling?.map((one) => scalingText(one, t)).join('; ')],
              [
                t('tag.writable'),
                write
                  ? `${write.min ?? '−∞'} … ${write.max ?? '∞'} ${unitText(record)}`
                  : record.source
                    ? t('tag.readOnly')
                    : null,
              ],
            ]}
          />
        </section>
        {may('sample:read') ? (
          record.data_type === 'array' ? (
            <WaveformCard tag={record} />
          ) : (
            <HistoryCard tag={record} />
          )
        ) : null}
        <Versions tag={record} />
      </div>
      {open === 'delete' ? (
        <ConfirmDialog
          title={t('tag.deleteTitle', { name: displayName(record, language) })}
          text={t('tag.deleteText')}
          action={t('action.delete')}
          danger
          onConfirm={async () => {
            await remove(withId('/tags', record.id), tag.data?.etag);
            say(t('tag.deleted', { name: displayName(record, language) }));
            navigate('/tags');
            queries.removeQueries({ queryKey: ['tags', 'one', record.id] });
            await queries.invalidateQueries({ queryKey: ['tags'] });
          }}
          onClose={() => setOpen(null)}
        />
      ) : null}
      {open === 'write' ? <WriteDialog tag={record} onClose={() => setOpen(null)} /> : null}
      {open === 'edit' ? (
        <TagDialog
          tag={record}
          assets={assets.data?.items ?? []}
          onClose={() => setOpen(null)}
          save={async (body) => {
            await patch<Tag>(withId('/tags', record.id), body, tag.data?.etag);
            await queries.invalidateQueries({ queryKey: ['tags'] });
            setOpen(null);
            say(t('state.saved'));
          }}
        />
      ) : null}
    </>
  );
}

/** A scaling in words; one that always held carries no date. */
function scalingText({ factor, offset, effective }: Scaling, t: Translate): string {
  const formula = `× ${factor} ${offset < 0 ? '−' : '+'} ${Math.abs(offset)}`;
  return Date.parse(effective) <= 0 ? formula : `${formula} (${t('tag.since')} ${formatTime(effective)})`;
}

function Versions({ tag }: { tag: Tag }) {
  const { t } = useT();
  const versions = useQuery({
    queryKey: ['tags', 'versions', tag.id, tag.version],
    queryFn: ({ signal }) =>
      get<Page<TagVersion>>(
        withQuery(withId('/tags', tag.id, '/versions'), { limit: VERSIONS_LIMIT }),
        signal,
      ),
  });
  const items = versions.data?.items ?? [];
  return (
    <section className="card tag-versions" aria-label={t('tag.versions')}>
      <h2>{t('tag.versions')}</h2>
      {versions.error ? <ProblemPanel error={versions.error} /> : null}
      {items.length > 0 ? (
        <TableBox label={t('tag.versions')}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('tag.version')}</th>
                <th scope="col">{t('tags.time')}</th>
                <th scope="col">{t('tag.changed')}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((version, index) => {
                const before = items[index + 1];
                const changes = before ? changesBetween(before.tag, version.tag) : [];
                return (
                  <tr key={version.version}>
                    <td>{version.version}</td>
                    <td className="time-cell">{formatTime(version.time)}</td>
                    <td className="change-cell">
                      {before
                        ? changes.map((change) => (
                            <div key={change.path}>
                              <code>{change.path}</code> <del>{oneLine(change.before)}</del> →{' '}
                              <ins>{oneLine(change.after)}</ins>
                            </div>
                          ))
                        : t('tag.created')}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </TableBox>
      ) : null}
    </section>
  );
}
