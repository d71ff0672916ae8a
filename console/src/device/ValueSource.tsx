import { useMemo, useState } from 'react';
import type { ProtocolSchema } from '../api/protocols';
import type { BrowseItem } from '../api/types';
import { useT } from '../i18n/i18n';
import { PasteDialog } from '../points/PasteDialog';
import { TypedPoint } from '../points/TypedPoint';
import { addressOf, pickedPoint, POINTS_MAX, type PointText } from '../points/points';
import { Button } from '../ui/Button';
import { addressKey, nameFor } from './browse';
import { BrowseTree, type PickedItem } from './BrowseTree';
import { useBrowsing, type BrowsePlace } from './browsing';

interface ValueSourceProps {
  place: BrowsePlace;
  schema: ProtocolSchema;
  points: readonly PointText[];
  nextKey: number;
  onChange: (points: PointText[], nextKey: number) => void;
  onCall?: ((item: BrowseItem) => void) | undefined;
  onTrust?: ((thumbprint: string) => void) | undefined;
}

/** Where points come from: what the device offers, an address that is typed, or a table that is pasted. */
export function ValueSource(props: ValueSourceProps) {
  const { schema, points, nextKey, onChange } = props;
  const { t } = useT();
  const browses = schema.abilities.browse;
  const [way, setWay] = useState<'browse' | 'type'>(browses ? 'browse' : 'type');
  const [paste, setPaste] = useState<string | null>(null);
  const add = (more: PointText[]) =>
    onChange([...points, ...more].slice(0, POINTS_MAX), nextKey + more.length);
  return (
    <div
      className="value-source"
      onPaste={(event) => {
        // Several cells at once can only come from a spreadsheet.
        const text = event.clipboardData.getData('text/plain');
        if (!/\t|\n./.test(text.trim()) || event.target instanceof HTMLTextAreaElement) return;
        event.preventDefault();
        setPaste(text);
      }}
    >
      <div className="row value-ways">
        {browses ? (
          <div className="segments" role="group" aria-label={t('values.way')}>
            <button type="button" aria-pressed={way === 'browse'} onClick={() => setWay('browse')}>
              {t('values.browse')}
            </button>
            <button type="button" aria-pressed={way === 'type'} onClick={() => setWay('type')}>
              {t('values.type')}
            </button>
          </div>
        ) : (
          <h2>{t('values.type')}</h2>
        )}
        <span className="spring" />
        <Button icon="paste" label={t('points.paste')} onClick={() => setPaste('')} />
      </div>
      {way === 'browse' ? <Offered {...props} /> : null}
      {way === 'type' ? (
        <TypedPoint schema={schema} points={points} nextKey={nextKey} onAdd={(point) => add([point])} />
      ) : null}
      {paste !== null ? (
        <PasteDialog
          initial={paste}
          firstKey={nextKey}
          schema={schema.address}
          onClose={() => setPaste(null)}
          onTake={(taken) => {
            setPaste(null);
            add(taken);
          }}
        />
      ) : null}
    </div>
  );
}

function Offered({ place, schema, points, nextKey, onChange, onCall, onTrust }: ValueSourceProps) {
  const browsing = useBrowsing(place);
  const keys = useMemo(
    () => new Map(points.map((point) => [addressKey({ address: addressOf(point, schema.address) }), point.key])),
    [points, schema],
  );
  const picked = useMemo(() => new Set(keys.keys()), [keys]);
  const pick = (items: PickedItem[], on: boolean) => {
    if (!on) {
      const gone = new Set(items.map(({ item }) => keys.get(addressKey(item))));
      onChange(
        points.filter((point) => !gone.has(point.key)),
        nextKey,
      );
      return;
    }
    const taken = new Set(points.map((point) => point.name.trim().toLowerCase()));
    const more: PointText[] = [];
    const known = new Set(picked);
    for (const { item, path } of items) {
      const key = addressKey(item);
      if (known.has(key) || points.length + more.length >= POINTS_MAX) continue;
      known.add(key);
      const name = nameFor(item, path, taken);
      taken.add(name.toLowerCase());
      more.push(pickedPoint(item, name, nextKey + more.length, schema.address));
    }
    onChange([...points, ...more], nextKey + more.length);
  };
  return <BrowseTree browsing={browsing} picked={picked} onPick={pick} onCall={onCall} onTrust={onTrust} />;
}
