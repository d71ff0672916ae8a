import { useState } from 'react';
import { useT, type Key } from '../../i18n/i18n';
import { fixedWindow, type Window } from '../../url/trend';
import { RangeDialog } from './RangeDialog';

/** A window up to now. */
export interface Preset {
  label: Key;
  seconds: number;
}

/** The usual windows of what was stored. */
const STORED: readonly Preset[] = [
  { label: 'trend.range1h', seconds: 3_600 },
  { label: 'trend.range8h', seconds: 28_800 },
  { label: 'trend.range24h', seconds: 86_400 },
  { label: 'trend.range7d', seconds: 604_800 },
  { label: 'history.range30d', seconds: 2_592_000 },
];

/** From when to when: up to now, or two times. */
export function WindowBar({
  presets = STORED,
  window,
  ends,
  onWindow,
}: {
  presets?: readonly Preset[];
  window: Window;
  ends: readonly [number, number];
  onWindow: (window: Window) => void;
}) {
  const { t } = useT();
  const [choosing, setChoosing] = useState(false);
  return (
    <>
      <div className="segments" role="group" aria-label={t('trend.window')}>
        {presets.map((preset) => (
          <button
            key={preset.seconds}
            type="button"
            aria-pressed={window.kind === 'live' && window.seconds === preset.seconds}
            onClick={() => onWindow({ kind: 'live', seconds: preset.seconds })}
          >
            {t(preset.label)}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={window.kind === 'fixed'}
          aria-haspopup="dialog"
          onClick={() => setChoosing(true)}
        >
          {t('trend.custom')}
        </button>
      </div>
      {choosing ? (
        <RangeDialog
          from={ends[0]}
          to={ends[1]}
          onClose={() => setChoosing(false)}
          onRange={(low, high) => {
            setChoosing(false);
            onWindow(fixedWindow(low, high));
          }}
        />
      ) : null}
    </>
  );
}
