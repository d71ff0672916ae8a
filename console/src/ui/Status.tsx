// Colour stands for state, and never alone: each state has a shape and a word too.
import { useLast } from '../live/live';
import { parseQuality, type Severity } from '../format/quality';
import { formatRecent, formatTime } from '../format/time';
import { formatValue } from '../format/value';
import { useT, type Translate } from '../i18n/i18n';
import type { DeviceState, Sample, Tag } from '../api/types';

export type Tone = 'good' | 'warn' | 'bad' | 'idle' | 'busy';

const DEVICE_TONES: Record<DeviceState, Tone> = {
  online: 'good',
  degraded: 'warn',
  connecting: 'busy',
  backing_off: 'bad',
  misconfigured: 'bad',
  disabled: 'idle',
  stopped: 'idle',
};

const SEVERITY_TONES: Record<Severity, Tone> = { good: 'good', uncertain: 'warn', bad: 'bad' };

export function Dot({ tone }: { tone: Tone }) {
  return <span className={`dot tone-${tone}`} aria-hidden="true" />;
}

export function DeviceStateMark({ state }: { state: DeviceState | undefined }) {
  const { t } = useT();
  const known = state && state in DEVICE_TONES ? state : 'stopped';
  return (
    <span className={`mark tone-${DEVICE_TONES[known]}`}>
      <Dot tone={DEVICE_TONES[known]} />
      {t(`deviceState.${known}`)}
    </span>
  );
}

export function deviceTone(state: DeviceState): Tone {
  return DEVICE_TONES[state];
}

export function qualityLabel(text: string, t: Translate): string {
  const quality = parseQuality(text);
  if (quality.known) return t(`qualityCode.${quality.known}`);
  const label = t(`quality.${quality.severity}`);
  return quality.code ? `${label} ${quality.code}` : label;
}

export function QualityMark({ quality }: { quality: string }) {
  const { t } = useT();
  const tone = SEVERITY_TONES[parseQuality(quality).severity];
  return (
    <span className={`mark tone-${tone}`} title={quality}>
      <Dot tone={tone} />
      {qualityLabel(quality, t)}
    </span>
  );
}

type TagShape = Pick<Tag, 'id' | 'data_type' | 'unit' | 'unit_symbol' | 'range' | 'labels'>;

/** The printed unit: the symbol, else the code without UCUM's brackets. */
export function unitText(tag: { unit?: string | null; unit_symbol?: string | null }): string {
  return tag.unit_symbol ?? tag.unit?.replace(/^\{(.*)\}$/, '$1') ?? '';
}

export function ValueText({ tag, sample }: { tag: TagShape; sample: Sample | null }) {
  const bad = sample !== null && parseQuality(sample.quality).severity === 'bad';
  return (
    <span className={bad ? 'value value-bad' : 'value'}>
      <span className="value-number">{formatValue(sample?.value, tag)}</span>
      <span className="value-unit">{unitText(tag)}</span>
    </span>
  );
}

/** The tag's value, kept up to date by the stream. */
export function LiveValue({ tag }: { tag: Tag }) {
  return <ValueText tag={tag} sample={useLast(tag.id, tag.last)} />;
}

export function LiveQuality({ tag }: { tag: Tag }) {
  const { t } = useT();
  const sample = useLast(tag.id, tag.last);
  return sample ? (
    <QualityMark quality={sample.quality} />
  ) : (
    <span className="muted">{t('quality.none')}</span>
  );
}

export function LiveTime({ tag, millis = true }: { tag: Tag; millis?: boolean }) {
  const sample = useLast(tag.id, tag.last);
  if (!sample) return <span className="muted">–</span>;
  return (
    <time dateTime={sample.time} title={formatTime(sample.time, true)}>
      {formatRecent(sample.time, new Date(), millis)}
    </time>
  );
}
