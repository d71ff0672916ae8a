import { useState } from 'react';
import type { Key } from '../../../i18n/i18n';
import { useT } from '../../../i18n/i18n';
import { fixedWindow, type Window } from '../../../url/trend';
import { RangeDialog } from '../../trend/RangeDialog';

const PRESETS: readonly { label: Key; seconds: number }[] = [
  { label: 'trend.range1h', seconds: 3_600 },
  { label: 'trend.range8h', seconds: 28_800 },
  { label: 'trend.range24h', seconds: 86_400 },
  { label: 'trend.range7d', seconds: 604_800 },
  { label: 'history.range30d', seconds: 2_592_000 },
];

/** From when to when: up to now, or two times. */
export function RangeBar({
  window,
  ends,
  onWindow,
}: {
  window: Window;
  ends: readonly [number, number];
  onWindow: (window: Window) => void;
}) {
  const { t } = useT();
  const [choosing, setChoosing] = useState(false);
  return (
    <>
      <div className="segments" role="group" aria-label={t('trend.window')}>
        {PRESETS.map((preset) => (
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
