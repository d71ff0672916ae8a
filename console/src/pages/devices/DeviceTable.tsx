import { memo, useCallback, useRef } from 'react';
import { Link } from 'wouter';
import type { Device } from '../../api/types';
import { displayName } from '../../format/name';
import { formatDuration } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { NARROW, useMedia, useRowWindow } from '../../ui/rows';
import { DeviceStateMark } from '../../ui/Status';
import { SortHead } from '../../ui/Table';
import { href } from '../../url/search';

/** Row heights in pixels; the style sheet gives the rows just these. */
const ROW_PX = 52;
const CARD_PX = 124;

export const counter = (device: Device, name: string): number => device.status?.counters?.[name] ?? 0;

interface DeviceTableProps {
  devices: readonly Device[];
  sort: string;
  onSort: (sort: string) => void;
  /** None where nothing can be done with a choice. */
  chosen: ReadonlySet<string> | undefined;
  onChoose: (chosen: ReadonlySet<string>) => void;
  endpoint: (device: Device) => string;
  protocolName: (protocol: string) => string;
}

/** The devices, of which only those in sight are in the document. */
export function DeviceTable(props: DeviceTableProps) {
  const { devices, sort, onSort, chosen, onChoose, endpoint, protocolName } = props;
  const { t } = useT();
  const body = useRef<HTMLTableSectionElement>(null);
  const height = useMedia(NARROW) ? CARD_PX : ROW_PX;
  const view = useRowWindow(body, devices.length, height);
  const head = (column: string, label: string, number = true) => (
    <SortHead {...(number ? { className: 'number-cell' } : {})} {...{ label, column, sort, onSort }} />
  );
  // Rows stay the same while others are chosen, so that scrolling and choosing redraw few of them.
  const latest = useRef({ chosen, onChoose });
  latest.current = { chosen, onChoose };
  const choose = useCallback((id: string, on: boolean) => {
    const next = new Set(latest.current.chosen);
    if (on) next.add(id);
    else next.delete(id);
    latest.current.onChoose(next);
  }, []);
  const all = chosen !== undefined && chosen.size > 0 && devices.every((device) => chosen.has(device.id));
  const some = chosen !== undefined && chosen.size > 0 && devices.some((device) => chosen.has(device.id));
  return (
    <table className="table device-table" aria-rowcount={devices.length + 1}>
      <thead>
        <tr>
          <th scope="col" className="choose-cell">
            {chosen ? (
              <input
                type="checkbox"
                aria-label={t('devices.chooseAll')}
                checked={all}
                ref={(box) => {
                  if (box) box.indeterminate = some && !all;
                }}
                onChange={(event) =>
                  onChoose(new Set(event.target.checked ? devices.map((device) => device.id) : []))
                }
              />
            ) : null}
          </th>
          {head('name', t('devices.name'), false)}
          {head('state', t('devices.state'), false)}
          {head('protocol', t('tag.protocol'), false)}
          {head('points', t('points.title'))}
          {head('samples', t('counter.samples'))}
          {head('errors', t('counter.errors'))}
          {head('latency', t('counter.last_latency_ms'))}
        </tr>
      </thead>
      <tbody ref={body}>
        <tr aria-hidden="true" className="spacer" style={{ height: view.first * height }} />
        {devices.slice(view.first, view.end).map((device, place) => (
          <DeviceRow
            key={device.id}
            device={device}
            row={view.first + place + 2}
            chosen={chosen?.has(device.id)}
            onChoose={choose}
            protocol={protocolName(device.protocol)}
            endpoint={endpoint(device)}
          />
        ))}
        <tr
          aria-hidden="true"
          className="spacer"
          style={{ height: (devices.length - view.end) * height }}
        />
      </tbody>
    </table>
  );
}

interface DeviceRowProps {
  device: Device;
  row: number;
  /** None where nothing can be done with a choice. */
  chosen: boolean | undefined;
  onChoose: (id: string, on: boolean) => void;
  protocol: string;
  endpoint: string;
}

const DeviceRow = memo(function DeviceRow(props: DeviceRowProps) {
  const { device, row, chosen, onChoose, protocol, endpoint } = props;
  const { t, language } = useT();
  const count = numbers(language);
  const name = displayName(device, language);
  const { status } = device;
  return (
    <tr aria-rowindex={row}>
      <td className="choose-cell">
        {chosen === undefined ? null : (
          <input
            type="checkbox"
            aria-label={t('tags.chooseOne', { name })}
            checked={chosen}
            onChange={(event) => onChoose(device.id, event.target.checked)}
          />
        )}
      </td>
      <th scope="row" className="name-cell">
        <Link href={href('/device', { id: device.id })} title={device.id}>
          {name}
        </Link>
        <small>{device.id}</small>
      </th>
      <td className="state-cell">
        <DeviceStateMark state={status?.state} />
        {status?.since ? (
          <small className="muted">
            {' '}
            {formatDuration((Date.now() - Date.parse(status.since)) / 1000)}
          </small>
        ) : null}
        {status?.reason ? (
          <span className="reason" title={status.reason}>
            {status.reason}
          </span>
        ) : null}
      </td>
      <td className="endpoint-cell">
        {protocol}
        <small className="muted">{endpoint}</small>
      </td>
      <td className="number-cell" data-label={t('points.title')}>
        {status ? (
          // Whoever switched a device off wants nothing of its points.
          <span className={status.points_bad > 0 ? (device.enabled ? 'tone-warn' : 'muted') : undefined}>
            {status.points_bad > 0
              ? `${count.format(status.points - status.points_bad)} / ${count.format(status.points)}`
              : count.format(status.points)}
          </span>
        ) : (
          '–'
        )}
      </td>
      <td className="number-cell" data-label={t('counter.samples')}>
        {count.format(counter(device, 'samples'))}
      </td>
      <td className="number-cell" data-label={t('counter.errors')}>
        {count.format(counter(device, 'errors'))}
      </td>
      <td className="number-cell" data-label={t('counter.last_latency_ms')}>
        {status ? counter(device, 'last_latency_ms').toFixed(1) : '–'}
      </td>
    </tr>
  );
});

/** Making one takes longer than a row does. */
const made = new Map<string, Intl.NumberFormat>();

function numbers(language: string): Intl.NumberFormat {
  const known = made.get(language) ?? new Intl.NumberFormat(language);
  made.set(language, known);
  return known;
}
