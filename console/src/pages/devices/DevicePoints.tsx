import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { Link } from 'wouter';
import { getAll } from '../../api/client';
import type { ProtocolSchema } from '../../api/protocols';
import { useMay } from '../../api/session';
import type { Device, Tag } from '../../api/types';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { addressText } from '../../schema/address';
import { Button, LinkButton } from '../../ui/Button';
import { ProblemPanel } from '../../ui/Problem';
import { NARROW, useMedia, useRowWindow } from '../../ui/rows';
import { SearchField } from '../../ui/SearchField';
import { LiveQuality, LiveTime, LiveValue } from '../../ui/Status';
import { href } from '../../url/search';
import { WriteDialog } from '../tag/WriteDialog';
import '../tag/tag.css';

/** Most points shown here; more are in the tag browser. */
const POINTS_SHOWN_MAX = 4_000;
/** From how many points on a search is offered. */
const SEARCH_FROM = 20;
/** Row heights in pixels; the style sheet gives the rows just these. */
const ROW_PX = 38;
const CARD_PX = 76;

interface DevicePointsProps {
  device: Device;
  schema: ProtocolSchema | undefined;
  canChange: boolean;
}

/** The points with their values as they come, and writing where that is allowed. */
export function DevicePoints({ device, schema, canChange }: DevicePointsProps) {
  const { t, language } = useT();
  const may = useMay();
  const [query, setQuery] = useState('');
  const [writing, setWriting] = useState<Tag>();
  const tags = useQuery({
    queryKey: ['tags', 'device', device.id, device.version],
    queryFn: ({ signal }) => getAll<Tag>('/tags', { device: device.id }, POINTS_SHOWN_MAX, signal),
  });
  const all = tags.data?.items ?? [];
  const address = (tag: Tag) => addressText(tag.source?.address, schema?.address, language);
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const items = all.filter((tag) => {
    const text = [tag.name, ...Object.values(tag.names), tag.id, address(tag)].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const body = useRef<HTMLTableSectionElement>(null);
  const height = useMedia(NARROW) ? CARD_PX : ROW_PX;
  const view = useRowWindow(body, items.length, height);
  return (
    <section className="card device-points" aria-label={t('points.title')}>
      <header className="card-head">
        <h2>
          {t('points.title')} <small className="muted">{all.length > 0 ? all.length : ''}</small>
        </h2>
        {canChange ? (
          <>
            <LinkButton icon="edit" label={t('points.editAll')} to={href('/device/points', { id: device.id })} />
            <LinkButton
              icon="plus"
              label={schema?.abilities.browse ? t('points.browseMore') : t('points.addMore')}
              to={href('/device/points', { id: device.id, add: '1' })}
            />
          </>
        ) : null}
      </header>
      {tags.error ? <ProblemPanel error={tags.error} retry={() => void tags.refetch()} /> : null}
      {tags.data && all.length === 0 ? <p className="muted">{t('points.none')}</p> : null}
      {all.length >= SEARCH_FROM ? (
        <SearchField label={t('points.search')} value={query} onChange={setQuery} />
      ) : null}
      {all.length > 0 ? (
        <table className="table live-points" aria-rowcount={items.length + 1}>
          <thead>
            <tr>
              <th scope="col">{t('tags.name')}</th>
              <th scope="col">{t('tag.address')}</th>
              <th scope="col" className="number-cell">
                {t('tags.value')}
              </th>
              <th scope="col">{t('tags.quality')}</th>
              <th scope="col">{t('tags.time')}</th>
              <th scope="col">
                <span className="sr-only">{t('state.actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody ref={body}>
            <tr aria-hidden="true" className="spacer" style={{ height: view.first * height }} />
            {items.slice(view.first, view.end).map((tag) => {
              const name = displayName(tag, language);
              return (
                <tr key={tag.id}>
                  <th scope="row">
                    <Link href={href('/tag', { id: tag.id })} title={tag.id}>
                      {name}
                    </Link>
                  </th>
                  <td className="address-cell" title={address(tag)}>
                    {address(tag)}
                  </td>
                  <td className="number-cell">
                    <LiveValue tag={tag} />
                  </td>
                  <td className="quality-cell">
                    <LiveQuality tag={tag} />
                  </td>
                  <td className="time-cell">
                    <LiveTime tag={tag} />
                  </td>
                  <td className="action-cell">
                    {tag.source?.write && may('device:control') ? (
                      <Button
                        kind="quiet"
                        icon="setpoint"
                        iconOnly
                        label={t('write.title', { name })}
                        onClick={() => setWriting(tag)}
                      />
                    ) : null}
                  </td>
                </tr>
              );
            })}
            <tr
              aria-hidden="true"
              className="spacer"
              style={{ height: (items.length - view.end) * height }}
            />
          </tbody>
        </table>
      ) : null}
      {tags.data?.more ? (
        <p className="more">
          <Link href={href('/tags', { device: device.id })}>
            {t('overview.allTags', { count: device.points?.length ?? '' })}
          </Link>
        </p>
      ) : null}
      {writing ? <WriteDialog tag={writing} onClose={() => setWriting(undefined)} /> : null}
    </section>
  );
}
