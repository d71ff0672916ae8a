import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { get, remove, withId, withQuery } from '../../api/client';
import { REFRESH_MS, type AssetList } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Asset, Page, Tag } from '../../api/types';
import { displayName } from '../../format/name';
import { rangeShare } from '../../format/value';
import { useT } from '../../i18n/i18n';
import { useLast } from '../../live/live';
import { Button, LinkButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Copyable } from '../../ui/Copy';
import { Icon } from '../../ui/Icon';
import { Empty, Loading } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { Sparkline } from '../../ui/Sparkline';
import { LiveQuality, LiveTime, LiveValue } from '../../ui/Status';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { pathTo } from '../../ui/tree';
import { href } from '../../url/search';
import { TREND_TAGS_MAX } from '../../url/trend';
import { AssetDialog } from './AssetDialog';

/** Tags shown beside the tree; all of them are in the tag browser. */
const PANEL_TAGS_MAX = 40;

interface AssetPanelProps {
  asset: Asset;
  assets: AssetList;
  onSelect: (id: string | null) => void;
}

/** One asset: where it stands, its live values, and what can be done with it. */
export function AssetPanel({ asset, assets, onSelect }: AssetPanelProps) {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [open, setOpen] = useState<'edit' | 'add' | 'delete' | null>(null);
  const tags = useQuery({
    queryKey: ['tags', 'panel', asset.id],
    queryFn: ({ signal }) =>
      get<Page<Tag>>(withQuery('/tags', { asset: asset.id, limit: PANEL_TAGS_MAX, sort: 'name' }), signal),
    enabled: may('tag:read'),
    refetchInterval: REFRESH_MS * 6,
  });
  const above = pathTo(asset.id, assets.byId).slice(0, -1);
  const items = tags.data?.items ?? [];
  const trendable = items
    .filter((tag) => tag.data_type !== 'text' && tag.data_type !== 'array')
    .slice(0, TREND_TAGS_MAX);

  const drop = async () => {
    await remove(withId('/assets', asset.id), `"${asset.version}"`);
    await queries.invalidateQueries({ queryKey: ['assets'] });
    say(t('asset.deleted', { name: displayName(asset, language) }));
    onSelect(asset.parent);
  };
  return (
    <section className="card asset-panel" aria-label={displayName(asset, language)}>
      <header className="asset-head">
        <div>
          <nav className="crumbs" aria-label={t('overview.path')}>
            {above.map((one) => (
              <span key={one.id}>
                <Link href={href('/', { asset: one.id })}>{displayName(one, language)}</Link>
                <Icon name="right" size={12} />
              </span>
            ))}
            <span className="muted">{t(`level.${asset.level}`)}</span>
          </nav>
          <h2>{displayName(asset, language)}</h2>
          <Copyable text={asset.id} />
          {asset.description ? <p className="muted">{asset.description}</p> : null}
        </div>
        <div className="page-actions">
          {trendable.length > 0 ? (
            <LinkButton
              icon="trend"
              label={t('overview.trendAll')}
              to={href('/trend', { tag: trendable.map((tag) => tag.id), range: '1h' })}
            />
          ) : null}
          <LinkButton
            kind="quiet"
            icon="identify"
            iconOnly
            label={t('asset.record')}
            to={href('/identify', { id: asset.id })}
          />
          {may('asset:write') ? (
            <>
              <Button
                kind="quiet"
                icon="plus"
                iconOnly
                label={t('asset.addUnder')}
                onClick={() => setOpen('add')}
              />
              <Button
                kind="quiet"
                icon="edit"
                iconOnly
                label={t('asset.edit')}
                onClick={() => setOpen('edit')}
              />
              <Button
                kind="quiet"
                icon="trash"
                iconOnly
                label={t('asset.delete')}
                onClick={() => setOpen('delete')}
              />
            </>
          ) : null}
        </div>
      </header>
      {tags.error ? <ProblemPanel error={tags.error} retry={() => void tags.refetch()} /> : null}
      {tags.isPending && may('tag:read') ? <Loading /> : null}
      {tags.data && items.length === 0 ? <Empty icon="tags" title={t('overview.noTags')} /> : null}
      {items.length > 0 ? (
        <TableBox label={t('overview.liveValues')}>
          <table className="table asset-tags">
            <thead>
              <tr>
                <th scope="col">{t('tags.name')}</th>
                <th scope="col" className="number-cell">
                  {t('tags.value')}
                </th>
                <th scope="col" className="wide-cell">
                  {t('overview.inRange')}
                </th>
                <th scope="col" className="wide-cell">
                  {t('overview.lastMinutes')}
                </th>
                <th scope="col">{t('tags.quality')}</th>
                <th scope="col" className="wide-cell">
                  {t('tags.time')}
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((tag) => (
                <tr key={tag.id}>
                  <th scope="row">
                    <Link href={href('/tag', { id: tag.id })}>{displayName(tag, language)}</Link>
                  </th>
                  <td className="number-cell">
                    <LiveValue tag={tag} />
                  </td>
                  <td className="wide-cell">
                    <RangeBar tag={tag} />
                  </td>
                  <td className="wide-cell">
                    <Link
                      href={href('/trend', { tag: tag.id, range: '1h' })}
                      aria-label={t('tags.trendOf', { name: displayName(tag, language) })}
                    >
                      <Sparkline tag={tag} />
                    </Link>
                  </td>
                  <td>
                    <LiveQuality tag={tag} />
                  </td>
                  <td className="wide-cell time-cell">
                    <LiveTime tag={tag} millis={false} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      {tags.data?.next ? (
        <p className="more">
          <Link href={href('/tags', { asset: asset.id })}>
            {t('overview.allTags', { count: asset.state.tags })}
          </Link>
        </p>
      ) : null}
      {open === 'edit' || open === 'add' ? (
        <AssetDialog
          asset={open === 'edit' ? asset : undefined}
          parent={open === 'add' ? asset : undefined}
          assets={assets.items}
          onClose={() => setOpen(null)}
          onSaved={(saved) => {
            setOpen(null);
            onSelect(saved);
          }}
        />
      ) : null}
      {open === 'delete' ? (
        <ConfirmDialog
          title={t('asset.deleteTitle', { name: displayName(asset, language) })}
          text={t('asset.deleteText')}
          action={t('action.delete')}
          danger
          onConfirm={drop}
          onClose={() => setOpen(null)}
        />
      ) : null}
    </section>
  );
}

/** Where the value stands between the range's ends. */
function RangeBar({ tag }: { tag: Tag }) {
  const share = rangeShare(useLast(tag.id, tag.last)?.value, tag.range);
  if (share === null) return null;
  return (
    <span className="range-bar" title={`${tag.range?.low} … ${tag.range?.high}`}>
      <span style={{ insetInlineStart: `${(share * 100).toFixed(1)}%` }} />
    </span>
  );
}
