import { useMemo } from 'react';
import type { Asset } from '../api/types';
import { displayName } from '../format/name';
import { useT } from '../i18n/i18n';
import { buildTree, visibleRows } from './tree';

const NOTHING_FOLDED: ReadonlySet<string> = new Set();

/** The options of a select: the tree of assets, indented. */
export function AssetOptions({
  assets,
  none,
  without,
}: {
  assets: readonly Asset[];
  none: string;
  without?: string | undefined;
}) {
  const { language } = useT();
  const rows = useMemo(() => visibleRows(buildTree(assets), NOTHING_FOLDED, undefined), [assets]);
  return (
    <>
      <option value="">{none}</option>
      {rows
        .filter((row) => row.asset.id !== without)
        .map((row) => (
          <option key={row.asset.id} value={row.asset.id}>
            {'\u2003'.repeat(row.depth) + displayName(row.asset, language)}
          </option>
        ))}
    </>
  );
}
