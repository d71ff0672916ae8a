import { useQuery } from '@tanstack/react-query';
import { get, withId } from '../../api/client';
import { REFRESH_MS } from '../../api/queries';
import type { LogLine } from '../../api/types';
import { formatRecent, formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { ProblemPanel } from '../../ui/Problem';
import { Dot, type Tone } from '../../ui/Status';

const TONES: Record<LogLine['level'], Tone> = { info: 'idle', warning: 'warn', error: 'bad' };

/** What happened to the device lately, the newest first. */
export function DeviceLog({ device }: { device: string }) {
  const { t } = useT();
  const log = useQuery({
    queryKey: ['devices', device, 'log'],
    queryFn: ({ signal }) => get<{ items: LogLine[] }>(withId('/devices', device, '/log'), signal),
    refetchInterval: REFRESH_MS,
  });
  const lines = log.data?.items ?? [];
  return (
    <section className="card device-log" aria-label={t('device.log')}>
      <h2>{t('device.log')}</h2>
      {log.error ? <ProblemPanel error={log.error} retry={() => void log.refetch()} /> : null}
      {log.data && lines.length === 0 ? <p className="muted">{t('device.logEmpty')}</p> : null}
      <ol tabIndex={lines.length > 0 ? 0 : undefined}>
        {lines.map((line, index) => (
          <li key={`${line.time}:${index}`}>
            <time dateTime={line.time} title={formatTime(line.time, true)}>
              {formatRecent(line.time, new Date(), false)}
            </time>
            <span className={`tone-${TONES[line.level]}`} title={t(`logLevel.${line.level}`)}>
              <Dot tone={TONES[line.level]} />
              <span className="sr-only">{t(`logLevel.${line.level}`)}</span>
            </span>
            <span>{line.text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
