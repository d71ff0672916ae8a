import { useState } from 'react';
import { useAssets, useOverview } from '../../api/queries';
import { useMay } from '../../api/session';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { useSearchState } from '../../url/search';
import { AssetDialog } from './AssetDialog';
import { AssetPanel } from './AssetPanel';
import { KeyNumbers } from './KeyNumbers';
import './overview.css';
import { PlantTree } from './PlantTree';

/** The plant at a glance: key numbers, the ISA-95 tree with its state, and one asset's live values. */
export default function OverviewPage() {
  const { t, language } = useT();
  const may = useMay();
  const [search, setSearch] = useSearchState();
  const overview = useOverview();
  const assets = useAssets(true);
  const [adding, setAdding] = useState(false);
  const items = assets.data?.items ?? [];
  const wanted = search.get('asset') ?? '';
  const selected = assets.data?.byId.get(wanted) ?? items.find((asset) => asset.parent === null) ?? items[0];
  const select = (id: string | null) => setSearch({ asset: id });

  return (
    <>
      <PageHead
        title={t('nav.overview')}
        note={overview.data?.organisation ? displayName(overview.data.organisation, language) : null}
        actions={
          may('asset:write') ? (
            <Button icon="plus" label={t('asset.add')} onClick={() => setAdding(true)} />
          ) : null
        }
      />
      {overview.error ? <ProblemPanel error={overview.error} retry={() => void overview.refetch()} /> : null}
      {overview.data ? <KeyNumbers overview={overview.data} /> : null}
      {assets.error && !assets.data ? (
        <ProblemPanel error={assets.error} retry={() => void assets.refetch()} />
      ) : null}
      {assets.isPending ? <Loading /> : null}
      {assets.data && items.length === 0 ? (
        <Empty icon="tree" title={t('overview.noAssets')}>
          <p>{t('overview.noAssetsAdvice')}</p>
        </Empty>
      ) : null}
      {assets.data && selected ? (
        <div className="plant">
          <section className="card plant-tree" aria-label={t('overview.plant')}>
            <SearchField
              label={t('overview.search')}
              value={search.get('q') ?? ''}
              onChange={(q) => setSearch({ q }, true)}
            />
            <PlantTree
              assets={items}
              query={search.get('q') ?? ''}
              selected={selected.id}
              onSelect={select}
            />
          </section>
          <AssetPanel key={selected.id} asset={selected} assets={assets.data} onSelect={select} />
        </div>
      ) : null}
      {adding ? (
        <AssetDialog
          assets={items}
          onClose={() => setAdding(false)}
          onSaved={(id) => {
            setAdding(false);
            select(id);
          }}
        />
      ) : null}
    </>
  );
}
