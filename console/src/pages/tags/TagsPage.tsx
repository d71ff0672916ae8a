import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { getAll, post } from '../../api/client';
import { useAssets, useDevices, usePages } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Asset, Tag } from '../../api/types';
import { downloadCsv, fileName, toCsv } from '../../csv/csv';
import { displayName } from '../../format/name';
import { formatValue } from '../../format/value';
import { useT } from '../../i18n/i18n';
import { AssetOptions } from '../../ui/AssetSelect';
import { Button, LinkButton } from '../../ui/Button';
import { SelectField } from '../../ui/Field';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { NARROW, useMedia, useRowWindow } from '../../ui/rows';
import { SearchField } from '../../ui/SearchField';
import { LiveQuality, LiveTime, LiveValue, unitText } from '../../ui/Status';
import { SortHead } from '../../ui/Table';
import { href, useSearchState } from '../../url/search';
import { TREND_TAGS_MAX } from '../../url/trend';
import { TagDialog } from '../tag/TagDialog';
import './tags.css';

/** Row heights in pixels; the style sheet gives the rows just these. */
const ROW_PX = 38;
const CARD_PX = 84;
/** Most rows of one export. */
const EXPORT_ROWS_MAX = 50_000;

/** Every tag that the reader may see: searched, filtered, live. */
export default function TagsPage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [search, setSearch] = useSearchState();
  const filter = {
    q: search.get('q') ?? '',
    asset: search.get('asset') ?? '',
    device: search.get('device') ?? '',
    sort: search.get('sort') ?? 'name',
  };
  const assets = useAssets();
  const devices = useDevices();
  const tags = usePages<Tag>('/tags', filter);
  const items = useMemo(() => tags.data?.pages.flatMap((page) => page.items) ?? [], [tags.data]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [creating, setCreating] = useState(false);
  const [exporting, setExporting] = useState(false);
  const [failure, setFailure] = useState<unknown>();

  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const exportCsv = async () => {
    setExporting(true);
    setFailure(undefined);
    try {
      const { items: all } = await getAll<Tag>('/tags', filter, EXPORT_ROWS_MAX);
      const header = [
        'id',
        'name',
        'value',
        'unit',
        'quality',
        'time',
        'data_type',
        'asset',
        'device',
        'protocol',
        'grade',
      ];
      const rows = all.map((tag) => [
        tag.id,
        displayName(tag, language),
        tag.last ? formatValue(tag.last.value, { data_type: 'i64' }) : '',
        unitText(tag),
        tag.last?.quality,
        tag.last?.time,
        tag.data_type,
        tag.asset,
        tag.device,
        tag.protocol,
        tag.grade,
      ]);
      downloadCsv(fileName('tags', new Date()), toCsv(header, rows));
    } catch (error) {
      setFailure(error);
    } finally {
      setExporting(false);
    }
  };
  return (
    <>
      <PageHead
        title={t('nav.tags')}
        actions={
          <>
            {chosen.size > 0 && may('sample:read') ? (
              <LinkButton
                kind="primary"
                icon="trend"
                label={t('tags.trendChosen', { count: chosen.size })}
                to={href('/trend', { tag: [...chosen], range: '1h' })}
              />
            ) : null}
            {may('tag:write') ? (
              <Button icon="plus" label={t('tag.new')} onClick={() => setCreating(true)} />
            ) : null}
            <Button
              icon="download"
              label={t('action.exportCsv')}
              busy={exporting}
              onClick={() => void exportCsv()}
            />
          </>
        }
      />
      <div className="filters">
        <SearchField label={t('tags.search')} value={filter.q} onChange={(q) => setSearch({ q }, true)} />
        <SelectField label={t('tags.asset')} value={filter.asset} onChange={(asset) => setSearch({ asset })}>
          <AssetOptions assets={assets.data?.items ?? []} none={t('tags.allAssets')} />
        </SelectField>
        {may('device:read') ? (
          <SelectField
            label={t('tags.device')}
            value={filter.device}
            onChange={(device) => setSearch({ device })}
          >
            <option value="">{t('tags.allDevices')}</option>
            {devices.data?.items.map((device) => (
              <option key={device.id} value={device.id}>
                {displayName(device, language)}
              </option>
            ))}
          </SelectField>
        ) : null}
      </div>
      {failure ? <ProblemPanel error={failure} /> : null}
      {tags.error ? <ProblemPanel error={tags.error} retry={() => void tags.refetch()} /> : null}
      {tags.isPending ? <Loading /> : null}
      {tags.data && items.length === 0 ? (
        <Empty
          icon="tags"
          title={filter.q || filter.asset || filter.device ? t('tags.noMatch') : t('tags.none')}
        >
          <p>{filter.q || filter.asset || filter.device ? t('tags.noMatchAdvice') : t('tags.noneAdvice')}</p>
        </Empty>
      ) : null}
      {items.length > 0 ? (
        <TagTable
          tags={items}
          more={tags.hasNextPage}
          loadMore={() => {
            if (!tags.isFetchingNextPage) void tags.fetchNextPage();
          }}
          sort={filter.sort}
          onSort={(sort) => setSearch({ sort })}
          chosen={chosen}
          onChoose={choose}
          assets={assets.data?.byId}
        />
      ) : null}
      {creating ? (
        <TagDialog
          assets={assets.data?.items ?? []}
          onClose={() => setCreating(false)}
          save={async (body) => {
            const made = await post<Tag>('/tags', body);
            await queries.invalidateQueries({ queryKey: ['tags'] });
            navigate(href('/tag', { id: made.id }));
          }}
        />
      ) : null}
    </>
  );
}

interface TagTableProps {
  tags: readonly Tag[];
  more: boolean;
  loadMore: () => void;
  sort: string;
  onSort: (sort: string) => void;
  chosen: ReadonlySet<string>;
  onChoose: (id: string, on: boolean) => void;
  assets: ReadonlyMap<string, Asset> | undefined;
}

function TagTable({ tags, more, loadMore, sort, onSort, chosen, onChoose, assets }: TagTableProps) {
  const { t, language } = useT();
  const body = useRef<HTMLTableSectionElement>(null);
  const height = useMedia(NARROW) ? CARD_PX : ROW_PX;
  const view = useRowWindow(body, tags.length, height);
  const nearEnd = view.end >= tags.length - 1;
  useEffect(() => {
    if (more && nearEnd) loadMore();
    // `loadMore` is new each time; what asks for more is reaching the end of what is there.
  }, [more, nearEnd, tags.length]);
  const assetName = (id: string | null) => {
    const asset = id === null ? undefined : assets?.get(id);
    return asset ? displayName(asset, language) : (id ?? '');
  };
  return (
    <table className="table tag-table" aria-rowcount={more ? -1 : tags.length + 1}>
      <thead>
        <tr>
          <th scope="col" className="choose-cell">
            <span className="sr-only">{t('tags.choose')}</span>
          </th>
          <SortHead label={t('tags.name')} column="name" sort={sort} onSort={onSort} />
          <th scope="col" className="number-cell">
            {t('tags.value')}
          </th>
          <th scope="col">{t('tags.quality')}</th>
          <SortHead label={t('tags.time')} column="time" oneWay="descending" sort={sort} onSort={onSort} />
          <th scope="col">{t('tags.asset')}</th>
          <th scope="col">{t('tags.source')}</th>
          <th scope="col">
            <span className="sr-only">{t('nav.trend')}</span>
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {view.first > 0 ? (
          <tr aria-hidden="true" className="spacer" style={{ height: view.first * height }} />
        ) : null}
        {tags.slice(view.first, view.end).map((tag, index) => {
          const name = displayName(tag, language);
          const full = !chosen.has(tag.id) && chosen.size >= TREND_TAGS_MAX;
          return (
            <tr key={tag.id} aria-rowindex={view.first + index + 2}>
              <td className="choose-cell">
                <input
                  type="checkbox"
                  aria-label={t('tags.chooseOne', { name })}
                  checked={chosen.has(tag.id)}
                  disabled={full}
                  onChange={(event) => onChoose(tag.id, event.target.checked)}
                />
              </td>
              <th scope="row" className="name-cell">
                <Link href={href('/tag', { id: tag.id })} title={tag.id}>
                  {name}
                </Link>
                <small>{tag.id}</small>
              </th>
              <td className="number-cell">
                <LiveValue tag={tag} />
              </td>
              <td className="quality-cell">
                <LiveQuality tag={tag} />
              </td>
              <td className="time-cell">
                <LiveTime tag={tag} />
              </td>
              <td className="asset-cell">
                {tag.asset ? (
                  <Link href={href('/', { asset: tag.asset })}>{assetName(tag.asset)}</Link>
                ) : null}
              </td>
              <td className="source-cell">
                {tag.device ? (
                  <Link href={href('/device', { id: tag.device })} title={tag.device}>
                    {tag.protocol}
                  </Link>
                ) : (
                  tag.protocol
                )}
              </td>
              <td className="action-cell">
                <LinkButton
                  kind="quiet"
                  icon="trend"
                  iconOnly
                  label={t('tags.trendOf', { name })}
                  to={href('/trend', { tag: tag.id, range: '1h' })}
                />
              </td>
            </tr>
          );
        })}
        {view.end < tags.length ? (
          <tr aria-hidden="true" className="spacer" style={{ height: (tags.length - view.end) * height }} />
        ) : null}
      </tbody>
    </table>
  );
}
