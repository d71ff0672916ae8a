// Times: RFC 3339 in, the reader's own zone out, always 24 hours and year first.

const two = (n: number): string => String(n).padStart(2, '0');

/** Seconds since 1970, with the fraction that `Date` would cut. NaN when it is no time. */
export function toSeconds(time: string): number {
  const match = /^(.*T\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.exec(time);
  if (!match) return Number.NaN;
  return Date.parse(match[1]! + match[3]!) / 1000 + Number(match[2] ?? 0);
}

/** `2026-11-23`. */
export function formatDay(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `08:00:05`, with `.120` when asked for. */
export function formatClock(date: Date, millis = false): string {
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return millis ? `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}` : clock;
}

/** The whole time: `2026-11-23 08:00:05`, with milliseconds when asked for. */
export function formatTime(time: string | number | Date, millis = false): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '–' : `${formatDay(date)} ${formatClock(date, millis)}`;
}

/** The clock alone when it is today, else the whole time. */
export function formatRecent(time: string, now: Date, millis = true): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '–';
  return formatDay(date) === formatDay(now) ? formatClock(date, millis) : formatTime(date);
}

/** The reader's offset from UTC, such as `UTC+08:00`. */
export function formatZone(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return minutes === 0
    ? 'UTC'
    : `UTC${minutes < 0 ? '−' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** The two largest units of a duration: `3 d 4 h`, `12 s`. */
export function formatDuration(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || (unit === 's' && parts.length === 0))
      parts.push(`${count} ${unit === 'm' ? 'min' : unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/** `90s`, `5m`, `8h`, `7d` in seconds; nothing when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text.trim());
  const unit = UNITS.find(([name]) => name === match?.[2]);
  const seconds = match && unit ? Number(match[1]) * unit[1] : 0;
  return seconds > 0 ? seconds : undefined;
}

/** The shortest text that `parseDuration` reads. */
export function durationText(seconds: number): string {
  const unit = UNITS.find(([, size]) => seconds % size === 0) ?? UNITS[3];
  return `${Math.round(seconds / unit[1])}${unit[0]}`;
}

/** For `<input type="datetime-local">`. */
export function toLocalInput(ms: number): string {
  const date = new Date(ms);
  return `${formatDay(date)}T${formatClock(date)}`;
}
