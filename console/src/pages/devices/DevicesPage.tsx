import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { post, withId } from '../../api/client';
import { useDevices } from '../../api/queries';
import { useMay } from '../../api/session';
import { DEVICE_STATES, type Device } from '../../api/types';
import { downloadCsv, fileName, toCsv } from '../../csv/csv';
import { displayName } from '../../format/name';
import { formatDuration } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button, LinkButton } from '../../ui/Button';
import { SelectField } from '../../ui/Field';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { DeviceStateMark } from '../../ui/Status';
import { SortHead, sorted, TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import './devices.css';

/** Where a device is reached: `host:port / unit`. */
export function endpoint(device: Device): string {
  const { host, port, unit } = device.settings;
  return host ? `${host}:${port} / ${unit}` : '';
}

const counter = (device: Device, name: string): number => device.status?.counters?.[name] ?? 0;

export default function DevicesPage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const [failure, setFailure] = useState<unknown>();
  const devices = useDevices(true);
  const query = (search.get('q') ?? '').trim().toLowerCase();
  const state = search.get('state') ?? '';
  const sort = search.get('sort') ?? 'name';
  const all = devices.data?.items ?? [];
  const count = new Intl.NumberFormat(language);
  const items = sorted(
    all.filter(
      (device) =>
        (!state || device.status?.state === state) &&
        (!query ||
          [device.id, device.name, ...Object.values(device.names), endpoint(device)].some((text) =>
            text.toLowerCase().includes(query),
          )),
    ),
    sort,
    {
      name: (device) => displayName(device, language),
      state: (device) => DEVICE_STATES.indexOf(device.status?.state ?? 'stopped'),
      samples: (device) => counter(device, 'samples'),
      errors: (device) => counter(device, 'errors'),
      reconnects: (device) => counter(device, 'reconnects'),
      latency: (device) => counter(device, 'last_latency_ms'),
    },
  );
  const onSort = (next: string) => setSearch({ sort: next });
  const exportCsv = () => {
    const header = [
      'id',
      'name',
      'protocol',
      'endpoint',
      'state',
      'reason',
      'since',
      'reads',
      'samples',
      'errors',
      'reconnects',
      'spooled',
      'dropped',
      'latency_ms',
    ];
    const rows = items.map((device) => [
      device.id,
      displayName(device, language),
      device.protocol,
      endpoint(device),
      device.status?.state,
      device.status?.reason,
      device.status?.since,
      ...['reads', 'samples', 'errors', 'reconnects', 'spooled', 'dropped', 'last_latency_ms'].map(
        (name) => device.status?.counters?.[name],
      ),
    ]);
    downloadCsv(fileName('devices', new Date()), toCsv(header, rows));
  };
  const restart = async (device: Device) => {
    setFailure(undefined);
    try {
      await post(withId('/devices', device.id, '/restart'));
      say(t('device.restarted', { name: displayName(device, language) }));
      await queries.invalidateQueries({ queryKey: ['devices'] });
    } catch (error) {
      setFailure(error);
    }
  };
  return (
    <>
      <PageHead
        title={t('nav.devices')}
        actions={
          <>
            <Button
              icon="download"
              label={t('action.exportCsv')}
              disabled={items.length === 0}
              onClick={exportCsv}
            />
            {may('device:write') ? (
              <LinkButton kind="primary" icon="plus" label={t('device.new')} to="/device/new" />
            ) : null}
          </>
        }
      />
      <div className="filters">
        <SearchField
          label={t('devices.search')}
          value={search.get('q') ?? ''}
          onChange={(q) => setSearch({ q }, true)}
        />
        <SelectField label={t('devices.state')} value={state} onChange={(next) => setSearch({ state: next })}>
          <option value="">{t('devices.allStates')}</option>
          {DEVICE_STATES.map((one) => (
            <option key={one} value={one}>
              {t(`deviceState.${one}`)}
            </option>
          ))}
        </SelectField>
      </div>
      {failure ? <ProblemPanel error={failure} /> : null}
      {devices.error ? <ProblemPanel error={devices.error} retry={() => void devices.refetch()} /> : null}
      {devices.isPending ? <Loading /> : null}
      {devices.data && items.length === 0 ? (
        <Empty icon="devices" title={all.length > 0 ? t('devices.noMatch') : t('devices.none')}>
          {all.length > 0 ? null : <p>{t('devices.noneAdvice')}</p>}
        </Empty>
      ) : null}
      {items.length > 0 ? (
        <TableBox label={t('nav.devices')}>
          <table className="table device-table">
            <thead>
              <tr>
                <SortHead label={t('devices.name')} column="name" sort={sort} onSort={onSort} />
                <SortHead label={t('devices.state')} column="state" sort={sort} onSort={onSort} />
                <th scope="col">{t('devices.endpoint')}</th>
                <SortHead
                  className="number-cell"
                  label={t('counter.samples')}
                  column="samples"
                  sort={sort}
                  onSort={onSort}
                />
                <SortHead
                  className="number-cell"
                  label={t('counter.errors')}
                  column="errors"
                  sort={sort}
                  onSort={onSort}
                />
                <SortHead
                  className="number-cell"
                  label={t('counter.reconnects')}
                  column="reconnects"
                  sort={sort}
                  onSort={onSort}
                />
                <SortHead
                  className="number-cell"
                  label={t('counter.last_latency_ms')}
                  column="latency"
                  sort={sort}
                  onSort={onSort}
                />
                <th scope="col">
                  <span className="sr-only">{t('state.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((device) => {
                const name = displayName(device, language);
                const status = device.status;
                return (
                  <tr key={device.id}>
                    <th scope="row" className="name-cell">
                      <Link href={href('/device', { id: device.id })}>{name}</Link>
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
                    <td className="mono endpoint-cell">{endpoint(device)}</td>
                    <td className="number-cell" data-label={t('counter.samples')}>
                      {count.format(counter(device, 'samples'))}
                    </td>
                    <td className="number-cell" data-label={t('counter.errors')}>
                      {count.format(counter(device, 'errors'))}
                    </td>
                    <td className="number-cell" data-label={t('counter.reconnects')}>
                      {count.format(counter(device, 'reconnects'))}
                    </td>
                    <td className="number-cell" data-label={t('counter.last_latency_ms')}>
                      {status ? counter(device, 'last_latency_ms').toFixed(1) : '–'}
                    </td>
                    <td className="action-cell">
                      {may('device:write') ? (
                        <Button
                          kind="quiet"
                          icon="restart"
                          iconOnly
                          label={t('device.restartOne', { name })}
                          onClick={() => void restart(device)}
                        />
                      ) : null}
                      {may('device:write') ? (
                        <LinkButton
                          kind="quiet"
                          icon="edit"
                          iconOnly
                          label={t('device.editTitle', { name })}
                          to={href('/device/edit', { id: device.id })}
                        />
                      ) : null}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </TableBox>
      ) : null}
    </>
  );
}
