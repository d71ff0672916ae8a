import { Link } from 'wouter';
import { DEVICE_STATES, type Overview } from '../../api/types';
import { formatDuration } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { deviceTone, Dot } from '../../ui/Status';
import { href } from '../../url/search';

/** What one wants to know before anything else. */
export function KeyNumbers({ overview }: { overview: Overview }) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  const rate = new Intl.NumberFormat(language, {
    maximumFractionDigits: overview.samples.rate_per_s < 10 ? 1 : 0,
  });
  const bad = overview.tags_bad;
  const online = overview.devices.by_state.online ?? 0;
  return (
    <section className="numbers" aria-label={t('overview.numbers')}>
      <Link href="/tags" className="number">
        <span className="number-label">{t('overview.tags')}</span>
        <span className="number-value">{count.format(overview.tags)}</span>
        <span className={bad > 0 ? 'number-note tone-warn' : 'number-note'}>
          {t('overview.badCount', { count: count.format(bad) })}
        </span>
      </Link>
      <Link href="/devices" className="number">
        <span className="number-label">{t('overview.devicesOnline')}</span>
        <span className="number-value">
          {count.format(online)}
          <small>/{count.format(overview.devices.total)}</small>
        </span>
        <span className="number-note">
          {t('overview.assetCount', { count: count.format(overview.assets) })}
        </span>
      </Link>
      <div className="number">
        <span className="number-label">{t('overview.rate')}</span>
        <span className="number-value">
          {rate.format(overview.samples.rate_per_s)}
          <small>/s</small>
        </span>
        <span className="number-note">
          {t('overview.sampleCount', { count: count.format(overview.samples.total) })}
        </span>
      </div>
      <div className="number">
        <span className="number-label">{t('overview.uptime')}</span>
        <span className="number-value">{formatDuration(overview.node.uptime_s)}</span>
        <span className="number-note">{t('overview.version', { version: overview.node.version })}</span>
      </div>
      <DeviceStates overview={overview} />
    </section>
  );
}

/** Devices by state: a bar by share, and the counts, each a link to those devices. */
function DeviceStates({ overview }: { overview: Overview }) {
  const { t } = useT();
  const { by_state: byState, total } = overview.devices;
  const states = DEVICE_STATES.filter((state) => (byState[state] ?? 0) > 0);
  return (
    <div className="number number-states">
      <span className="number-label">{t('overview.byState')}</span>
      <div className="state-bar" aria-hidden="true">
        {states.map((state) => (
          <span
            key={state}
            className={`tone-${deviceTone(state)}`}
            style={{ flexGrow: (byState[state] ?? 0) / Math.max(total, 1) }}
          />
        ))}
      </div>
      <ul>
        {states.length === 0 ? <li className="muted">{t('overview.noDevices')}</li> : null}
        {states.map((state) => (
          <li key={state}>
            <Link href={href('/devices', { state })} className={`mark tone-${deviceTone(state)}`}>
              <Dot tone={deviceTone(state)} />
              {t(`deviceState.${state}`)} <b>{byState[state]}</b>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
