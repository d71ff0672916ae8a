import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { BrowseItem } from '../api/types';
import { formatValue } from '../format/value';
import { useT } from '../i18n/i18n';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { NARROW, useMedia, useRowWindow } from '../ui/rows';
import { SearchField } from '../ui/SearchField';
import { addressKey, browseRows, loadedCount, NODES_MAX, ROOT, valuesBelow, type BrowseRow } from './browse';
import type { Browsing } from './browsing';
import { DeviceFailure } from './DeviceFailure';
import './device.css';

/** Row heights in pixels; the style sheet gives the rows just these. */
const ROW_PX = 34;
const NARROW_ROW_PX = 46;

export interface PickedItem {
  item: BrowseItem;
  path: readonly string[];
}

function isMethod(item: BrowseItem): boolean {
  return item.method !== null && item.method !== undefined;
}

interface BrowseTreeProps {
  browsing: Browsing;
  /** Values that are ticked, by their addresses. */
  picked: ReadonlySet<string>;
  onPick: (items: PickedItem[], on: boolean) => void;
  onCall?: ((item: BrowseItem) => void) | undefined;
  onTrust?: ((thumbprint: string) => void) | undefined;
}

/** What the device offers: unfolded step by step, searched in what is loaded, ticked. */
export function BrowseTree({ browsing, picked, onPick, onCall, onTrust }: BrowseTreeProps) {
  const { t } = useT();
  const { branches, load } = browsing;
  const [query, setQuery] = useState('');
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => browseRows(branches, unfolded, query), [branches, unfolded, query]);
  const height = useMedia(NARROW) ? NARROW_ROW_PX : ROW_PX;
  const view = useRowWindow(list, rows.length, height);
  const count = loadedCount(branches);

  const fold = (item: BrowseItem, on: boolean) => {
    const next = new Set(unfolded);
    if (on) next.add(item.at);
    else next.delete(item.at);
    setUnfolded(next);
    if (on) void load(item.at);
  };
  const tick = async (row: Extract<BrowseRow, { kind: 'item' }>, on: boolean) => {
    const { item, path } = row;
    if (item.address) {
      onPick([{ item, path }], on);
      return;
    }
    const inner = [...path, item.name];
    if (branches.has(item.at)) {
      onPick(valuesBelow(branches, item.at, inner), on);
      return;
    }
    // What is ticked unseen is fetched first, one step deep.
    fold(item, true);
    const below = await load(item.at);
    onPick(
      below.filter((one) => one.address).map((one) => ({ item: one, path: inner })),
      on,
    );
  };
  const go = (index: number) => {
    const bounded = Math.min(rows.length - 1, Math.max(0, index));
    setActive(bounded);
    const box = list.current;
    if (!box) return;
    const focus = () => box.querySelector<HTMLElement>(`[data-index="${bounded}"]`)?.focus();
    if (box.querySelector(`[data-index="${bounded}"]`)) focus();
    else {
      window.scrollBy(0, box.getBoundingClientRect().top + bounded * height - window.innerHeight / 2);
      // The rows follow the scrolling with the next frame.
      requestAnimationFrame(() => requestAnimationFrame(focus));
    }
  };
  const press = (event: KeyboardEvent, index: number) => {
    const row = rows[index];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target !== event.currentTarget && event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const item = row.kind === 'item' ? row : undefined;
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(index + 1),
      ArrowUp: () => go(index - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () =>
        item?.item.expandable && !item.expanded ? fold(item.item, true) : go(index + 1),
      ArrowLeft: () =>
        item?.expanded ? fold(item.item, false) : go(rows.slice(0, index).findLastIndex((up) => up.depth < row.depth)),
      Enter: () => {
        if (row.kind === 'more' || row.kind === 'failed') void load(row.at);
        else if (item?.item.expandable) fold(item.item, !item.expanded);
        else if (item?.item.address) void tick(item, !picked.has(addressKey(item.item)));
      },
      ' ': () => {
        if (item && (item.item.address || (item.item.expandable && !isMethod(item.item)))) void tick(item, !isTicked(item));
      },
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  const below = (item: BrowseItem, path: readonly string[]) =>
    branches.has(item.at) ? valuesBelow(branches, item.at, path) : [];
  const isTicked = (row: Extract<BrowseRow, { kind: 'item' }>): boolean => {
    if (row.item.address) return picked.has(addressKey(row.item));
    const values = below(row.item, row.path);
    return values.length > 0 && values.every((one) => picked.has(addressKey(one.item)));
  };
  const isPartly = (row: Extract<BrowseRow, { kind: 'item' }>): boolean =>
    !row.item.address && below(row.item, row.path).some((one) => picked.has(addressKey(one.item)));

  return (
    <div className="browse">
      <div className="browse-head">
        <SearchField label={t('browse.search')} value={query} onChange={setQuery} />
        <Button icon="restart" iconOnly label={t('browse.again')} onClick={browsing.again} />
      </div>
      {query ? <p className="muted browse-note">{t('browse.searched', { count })}</p> : null}
      {browsing.full ? <p className="banner">{t('browse.full', { count: NODES_MAX })}</p> : null}
      <div ref={list} className="browse-tree" role="tree" aria-label={t('browse.title')} aria-multiselectable>
        {query && rows.length === 0 ? <p className="muted browse-none">{t('browse.noMatch')}</p> : null}
        <div style={{ height: view.first * height }} aria-hidden="true" />
        {rows.slice(view.first, view.end).map((row, place) => {
          const index = view.first + place;
          const shared = {
            'data-index': index,
            role: 'treeitem',
            'aria-level': row.depth + 1,
            tabIndex: index === Math.min(active, rows.length - 1) ? 0 : -1,
            onKeyDown: (event: KeyboardEvent) => press(event, index),
            onFocus: () => setActive(index),
            className: 'browse-row',
            style: { paddingInlineStart: `${8 + row.depth * 18}px` },
          };
          if (row.kind === 'item') {
            const { item } = row;
            const ticked = isTicked(row);
            return (
              <div
                key={`${row.depth}:${item.at}`}
                {...shared}
                aria-expanded={item.expandable ? row.expanded : undefined}
                aria-selected={ticked}
              >
                <button
                  type="button"
                  className="browse-fold"
                  tabIndex={-1}
                  aria-label={row.expanded ? t('browse.fold') : t('browse.unfold')}
                  hidden={!item.expandable}
                  onClick={() => fold(item, !row.expanded)}
                >
                  <Icon name={row.expanded ? 'down' : 'right'} size={14} />
                </button>
                {item.address || (item.expandable && !isMethod(item)) ? (
                  <input
                    type="checkbox"
                    tabIndex={-1}
                    aria-label={t('tags.chooseOne', { name: item.name })}
                    ref={(box) => {
                      if (box) box.indeterminate = !ticked && isPartly(row);
                    }}
                    checked={ticked}
                    onChange={(event) => void tick(row, event.target.checked)}
                  />
                ) : (
                  <span className="browse-unticked" aria-hidden="true" />
                )}
                <span
                  className="browse-name"
                  title={item.address ? JSON.stringify(item.address) : item.at}
                  onClick={() =>
                    item.expandable ? fold(item, !row.expanded) : item.address ? void tick(row, !ticked) : undefined
                  }
                >
                  {item.name}
                  {item.description && item.description !== item.name ? (
                    <small className="muted"> {item.description}</small>
                  ) : null}
                </span>
                {item.data_type ? <span className="browse-type">{t(`dataType.${item.data_type}`)}</span> : null}
                {item.address ? (
                  <span className="browse-value">
                    {item.value === null ? '' : formatValue(item.value, { data_type: item.data_type ?? 'i64' })} <small className="muted">{item.unit}</small>
                  </span>
                ) : null}
                {isMethod(item) ? (
                  onCall ? (
                    <Button icon="play" label={t('call.call')} onClick={() => onCall(item)} />
                  ) : (
                    <span className="chip">{t('call.method')}</span>
                  )
                ) : null}
              </div>
            );
          }
          return (
            <div key={`${row.kind}:${row.at}`} {...shared} aria-selected={false}>
              {row.kind === 'loading' ? (
                <span className="muted browse-said" role="status">
                  <span className="spinner" aria-hidden="true" /> {t('state.loading')}
                </span>
              ) : row.kind === 'empty' ? (
                <span className="muted browse-said">{t('browse.empty')}</span>
              ) : row.kind === 'failed' ? (
                <span className="tone-bad browse-said" role="alert" title={String(row.error)}>
                  <Icon name="warning" size={14} />
                  <span>{row.error instanceof Error ? row.error.message : ''}</span>
                  <Button kind="quiet" icon="restart" label={t('action.retry')} onClick={() => void load(row.at)} />
                </span>
              ) : (
                <Button kind="quiet" label={t('action.more')} onClick={() => void load(row.at)} />
              )}
            </div>
          );
        })}
        <div style={{ height: (rows.length - view.end) * height }} aria-hidden="true" />
      </div>
      {branches.get(ROOT)?.error ? <DeviceFailure error={branches.get(ROOT)?.error} onTrust={onTrust} /> : null}
    </div>
  );
}
