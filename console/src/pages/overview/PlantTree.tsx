import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { Asset } from '../../api/types';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { Icon } from '../../ui/Icon';
import { Dot, type Tone } from '../../ui/Status';
import { buildTree, visibleRows, type Row } from '../../ui/tree';

/** What colour an asset's state has: a device that is down outweighs a bad tag. */
function assetTone(asset: Asset): Tone {
  const state = asset.state;
  if (state.devices_down > 0) return 'bad';
  if (state.tags === 0) return 'idle';
  return state.bad > 0 ? 'warn' : 'good';
}

interface PlantTreeProps {
  assets: readonly Asset[];
  query: string;
  selected: string;
  onSelect: (id: string) => void;
}

/** The plant as a tree; arrows move, right and left unfold and fold. */
export function PlantTree({ assets, query, selected, onSelect }: PlantTreeProps) {
  const { t, language } = useT();
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const list = useRef<HTMLDivElement>(null);
  const roots = useMemo(() => buildTree(assets), [assets]);
  const rows = useMemo(() => {
    const wanted = query.trim().toLowerCase();
    const matches = wanted
      ? (asset: Asset) =>
          [asset.name, asset.id, ...Object.values(asset.names ?? {})].some((text) =>
            text.toLowerCase().includes(wanted),
          )
      : undefined;
    return visibleRows(roots, folded, matches);
  }, [roots, folded, query]);

  const fold = (id: string, on: boolean) => {
    const next = new Set(folded);
    if (on) next.add(id);
    else next.delete(id);
    setFolded(next);
  };
  const go = (row: Row | undefined) => {
    if (!row) return;
    onSelect(row.asset.id);
    list.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row.asset.id)}"]`)?.focus();
  };
  const press = (event: KeyboardEvent, index: number) => {
    const row = rows[index]!;
    const parent = () => rows.slice(0, index).findLast((above) => above.depth < row.depth);
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(rows[index + 1]),
      ArrowUp: () => go(rows[index - 1]),
      Home: () => go(rows[0]),
      End: () => go(rows.at(-1)),
      ArrowRight: () =>
        row.expandable && !row.expanded
          ? fold(row.asset.id, false)
          : row.expanded
            ? go(rows[index + 1])
            : undefined,
      ArrowLeft: () => (row.expanded ? fold(row.asset.id, true) : go(parent())),
      Enter: () => onSelect(row.asset.id),
      ' ': () => onSelect(row.asset.id),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  };
  const tabStop = rows.some((row) => row.asset.id === selected) ? selected : rows[0]?.asset.id;

  if (rows.length === 0) return <p className="muted tree-none">{t('overview.noMatch')}</p>;
  return (
    <div className="tree" role="tree" aria-label={t('overview.plant')} ref={list}>
      <div className="tree-head" aria-hidden="true">
        <span>{t('overview.asset')}</span>
        <span>{t('overview.tags')}</span>
        <span title={t('overview.badLong')}>{t('overview.bad')}</span>
        <span title={t('overview.downLong')}>{t('overview.down')}</span>
      </div>
      {rows.map((row, index) => {
        const { asset } = row;
        const state = asset.state;
        const name = displayName(asset, language);
        return (
          <div
            key={asset.id}
            role="treeitem"
            data-row={asset.id}
            tabIndex={asset.id === tabStop ? 0 : -1}
            aria-level={row.depth + 1}
            aria-posinset={row.position}
            aria-setsize={row.siblings}
            aria-selected={asset.id === selected}
            aria-expanded={row.expandable ? row.expanded : undefined}
            aria-label={t('overview.rowLabel', {
              name,
              level: t(`level.${asset.level}`),
              tags: state.tags,
              bad: state.bad,
              down: state.devices_down,
            })}
            className="tree-row"
            onClick={() => onSelect(asset.id)}
            onKeyDown={(event) => press(event, index)}
          >
            <span className="tree-name" style={{ paddingInlineStart: `${row.depth * 18}px` }}>
              <span className="tree-main">
                <span
                  className="tree-fold"
                  aria-hidden="true"
                  onClick={(event) => {
                    if (!row.expandable) return;
                    event.stopPropagation();
                    fold(asset.id, row.expanded);
                  }}
                >
                  {row.expandable ? <Icon name={row.expanded ? 'down' : 'right'} size={14} /> : null}
                </span>
                <Dot tone={assetTone(asset)} />
                <span className="tree-text">{name}</span>
              </span>
              <span className="tree-level">{t(`level.${asset.level}`)}</span>
            </span>
            <span className="tree-count">{state.tags}</span>
            <span className={state.bad > 0 ? 'tree-count tone-warn' : 'tree-count zero'}>{state.bad}</span>
            <span className={state.devices_down > 0 ? 'tree-count tone-bad' : 'tree-count zero'}>
              {state.devices_down}
            </span>
          </div>
        );
      })}
    </div>
  );
}
