// The ISA-95 hierarchy as rows of a tree.
import type { Asset } from '../api/types';

export interface AssetNode {
  asset: Asset;
  children: AssetNode[];
}

/** Deepest nesting shown; a longer chain of parents is a mistake in the data. */
const DEPTH_MAX = 32;

/** Assets under their parents, in the order of the list. One whose parent is not in sight is a root. */
export function buildTree(assets: readonly Asset[]): AssetNode[] {
  const nodes = new Map(assets.map((asset) => [asset.id, { asset, children: [] as AssetNode[] }]));
  const roots: AssetNode[] = [];
  for (const node of nodes.values()) {
    const parent = node.asset.parent === null ? undefined : nodes.get(node.asset.parent);
    if (parent && !isUnder(parent, node.asset.id, nodes)) parent.children.push(node);
    else roots.push(node);
  }
  return roots;
}

// A circle of parents would hide its members from the tree; cutting it makes one of them a root.
function isUnder(node: AssetNode, id: string, nodes: ReadonlyMap<string, AssetNode>): boolean {
  let at: AssetNode | undefined = node;
  for (let depth = 0; at && depth < DEPTH_MAX; depth++) {
    if (at.asset.id === id) return true;
    at = at.asset.parent === null ? undefined : nodes.get(at.asset.parent);
  }
  return at !== undefined;
}

export interface Row {
  asset: Asset;
  depth: number;
  expandable: boolean;
  expanded: boolean;
  /** Position among its siblings, from 1, and how many there are. */
  position: number;
  siblings: number;
}

/** The rows on the screen: all that match or lead to a match when searching, else what is unfolded. */
export function visibleRows(
  roots: readonly AssetNode[],
  folded: ReadonlySet<string>,
  matches: ((asset: Asset) => boolean) | undefined,
): Row[] {
  const rows: Row[] = [];
  const walk = (nodes: readonly AssetNode[], depth: number): void => {
    const shown = matches ? nodes.filter((node) => leadsTo(node, matches)) : nodes;
    shown.forEach((node, index) => {
      const expandable = node.children.length > 0;
      const expanded = expandable && (matches !== undefined || !folded.has(node.asset.id));
      rows.push({
        asset: node.asset,
        depth,
        expandable,
        expanded,
        position: index + 1,
        siblings: shown.length,
      });
      if (expanded) walk(node.children, depth + 1);
    });
  };
  walk(roots, 0);
  return rows;
}

function leadsTo(node: AssetNode, matches: (asset: Asset) => boolean): boolean {
  return matches(node.asset) || node.children.some((child) => leadsTo(child, matches));
}

/** From the root down to the asset. */
export function pathTo(id: string, byId: ReadonlyMap<string, Asset>): Asset[] {
  const path: Asset[] = [];
  for (
    let at = byId.get(id);
    at && path.length < DEPTH_MAX;
    at = at.parent === null ? undefined : byId.get(at.parent)
  ) {
    path.unshift(at);
  }
  return path;
}
