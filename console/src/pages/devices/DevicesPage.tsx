import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { patch, post, withId } from '../../api/client';
import { DEVICES_MAX, useDevices, useOverview, useProtocols } from '../../api/queries';
import { useMay } from '../../api/session';
import { DEVICE_STATES, type Device, type DeviceState } from '../../api/types';
import { downloadCsv, fileName } from '../../csv/csv';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { endpointText } from '../../schema/address';
import { textIn } from '../../schema/schema';
import { Button, LinkButton } from '../../ui/Button';
import { SelectField } from '../../ui/Field';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { Dot, deviceTone } from '../../ui/Status';
import { sorted } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { useSearchState } from '../../url/search';
import { forEach, type Outcome } from './bulk';
import { counter, DeviceTable } from './DeviceTable';
import { exported } from './export';
import { ImportDialog } from './ImportDialog';
import './devices.css';

type BulkAction = 'restart' | 'enable' | 'disable';

/** Every device: counted, searched, filtered, sorted, and changed many at a time. */
export default function DevicesPage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const [failure, setFailure] = useState<unknown>();
  const [importing, setImporting] = useState(false);
  const [exporting, setExporting] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [progress, setProgress] = useState<Outcome & { of: number }>();
  const stop = useRef<AbortController>(undefined);
  const filter = {
    q: (search.get('q') ?? '').trim(),
    state: search.get('state') ?? '',
    protocol: search.get('protocol') ?? '',
  };
  const sort = search.get('sort') ?? 'name';
  const filtered = filter.q !== '' || filter.state !== '' || filter.protocol !== '';
  const devices = useDevices(true, filter);
  const overview = useOverview();
  const protocols = useProtocols();
  const schemas = useMemo(
    () => new Map(protocols.data?.map((one) => [one.protocol, one.schema])),
    [protocols.data],
  );
  const protocolName = (protocol: string) =>
    textIn(schemas.get(protocol)?.['x-title'], language) ?? protocol;
  const all = devices.data?.items;
  const items = useMemo(
    () =>
      sorted(all ?? [], sort, {
        name: (device) => displayName(device, language),
        state: (device) => DEVICE_STATES.indexOf(device.status?.state ?? 'stopped'),
        protocol: (device) => device.protocol,
        points: (device) => device.status?.points ?? 0,
        samples: (device) => counter(device, 'samples'),
        errors: (device) => counter(device, 'errors'),
        latency: (device) => counter(device, 'last_latency_ms'),
      }),
    [all, sort, language],
  );
  // What is filtered out is still counted, as of when all was in sight.
  const [counted, setCounted] = useState<Record<string, number>>({});
  useEffect(() => {
    if (all && !filtered && !devices.isPlaceholderData) setCounted(countProtocols(all));
  }, [all, filtered, devices.isPlaceholderData]);
  const canChange = may('device:write');
  const picked = items.filter((device) => chosen.has(device.id));

  const run = async (action: BulkAction) => {
    stop.current = new AbortController();
    setFailure(undefined);
    const byId = new Map(picked.map((device) => [device.id, device]));
    const work = (id: string): Promise<unknown> => {
      const device = byId.get(id)!;
      if (action === 'restart') return post(withId('/devices', id, '/restart'));
      return patch(withId('/devices', id), { enabled: action === 'enable' }, `"${device.version}"`);
    };
    const outcome = await forEach(
      // One that is as wanted already needs no new version.
      picked
        .filter((device) => action === 'restart' || device.enabled !== (action === 'enable'))
        .map((device) => device.id),
      work,
      (now) => setProgress({ ...now, of: picked.length }),
      stop.current.signal,
    );
    setProgress(undefined);
    say(t('devices.bulkDone', { count: outcome.done }));
    if (outcome.failed.length > 0) {
      setFailure(outcome.failed[0]!.error);
      setChosen(new Set(outcome.failed.map((one) => one.id)));
    }
    await queries.invalidateQueries({ queryKey: ['devices'] });
  };
  const exportCsv = async () => {
    setExporting(true);
    setFailure(undefined);
    try {
      downloadCsv(fileName('devices', new Date()), await exported(picked.map((device) => device.id)));
    } catch (error) {
      setFailure(error);
    } finally {
      setExporting(false);
    }
  };
  return (
    <>
      <PageHead
        title={t('nav.devices')}
        actions={
          <>
            <LinkButton kind="quiet" icon="copy" label={t('templates.title')} to="/templates" />
            {canChange ? <Button label={t('import.import')} onClick={() => setImporting(true)} /> : null}
            <Button
              icon="download"
              label={
                picked.length > 0 ? t('devices.exportChosen', { count: picked.length }) : t('action.exportCsv')
              }
              disabled={items.length === 0}
              busy={exporting}
              onClick={() => void exportCsv()}
            />
            {canChange ? (
              <LinkButton kind="primary" icon="plus" label={t('device.new')} to="/devices/new" />
            ) : null}
          </>
        }
      />
      <Counts
        states={overview.data?.devices.by_state ?? {}}
        protocols={overview.data?.devices.by_protocol ?? counted}
        filter={filter}
        name={protocolName}
        onFilter={(patch) => setSearch(patch)}
      />
      <div className="filters">
        <SearchField
          label={t('devices.search')}
          value={search.get('q') ?? ''}
          onChange={(q) => setSearch({ q }, true)}
        />
        <SelectField
          label={t('devices.state')}
          value={filter.state}
          onChange={(next) => setSearch({ state: next })}
        >
          <option value="">{t('devices.allStates')}</option>
          {DEVICE_STATES.map((one) => (
            <option key={one} value={one}>
              {t(`deviceState.${one}`)}
            </option>
          ))}
        </SelectField>
        <SelectField
          label={t('tag.protocol')}
          value={filter.protocol}
          onChange={(next) => setSearch({ protocol: next })}
        >
          <option value="">{t('devices.allProtocols')}</option>
          {protocols.data?.map(({ protocol }) => (
            <option key={protocol} value={protocol}>
              {protocolName(protocol)}
            </option>
          ))}
        </SelectField>
      </div>
      {failure ? <ProblemPanel error={failure} /> : null}
      {devices.error ? <ProblemPanel error={devices.error} retry={() => void devices.refetch()} /> : null}
      {devices.isPending ? <Loading /> : null}
      {devices.data?.more ? <p className="banner">{t('devices.more', { count: DEVICES_MAX })}</p> : null}
      {devices.data && items.length === 0 ? (
        <Empty icon="devices" title={filtered ? t('devices.noMatch') : t('devices.none')}>
          {filtered ? null : <p>{t('devices.noneAdvice')}</p>}
        </Empty>
      ) : null}
      {picked.length > 0 && canChange ? (
        <div className="bulk-bar" role="group" aria-label={t('devices.bulk')}>
          <span>
            {progress
              ? t('devices.bulkProgress', {
                  done: progress.done + progress.failed.length,
                  count: progress.of,
                })
              : t('devices.chosen', { count: picked.length })}
          </span>
          <Button
            icon="restart"
            label={t('device.restart')}
            busy={Boolean(progress)}
            onClick={() => void run('restart')}
          />
          <Button
            icon="play"
            label={t('device.enable')}
            busy={Boolean(progress)}
            onClick={() => void run('enable')}
          />
          <Button
            icon="pause"
            label={t('device.disable')}
            busy={Boolean(progress)}
            onClick={() => void run('disable')}
          />
          {progress ? (
            <Button kind="quiet" label={t('devices.bulkStop')} onClick={() => stop.current?.abort()} />
          ) : (
            <Button kind="quiet" label={t('devices.chooseNone')} onClick={() => setChosen(new Set())} />
          )}
        </div>
      ) : null}
      {items.length > 0 ? (
        <DeviceTable
          devices={items}
          sort={sort}
          onSort={(next) => setSearch({ sort: next })}
          chosen={canChange ? chosen : undefined}
          onChoose={setChosen}
          endpoint={(device) => endpointText(device.settings, schemas.get(device.protocol))}
          protocolName={protocolName}
        />
      ) : null}
      {importing ? (
        <ImportDialog
          onClose={() => setImporting(false)}
          onDone={(text) => {
            setImporting(false);
            say(text);
            void queries.invalidateQueries();
          }}
        />
      ) : null}
    </>
  );
}

function countProtocols(devices: readonly Device[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { protocol } of devices) counts[protocol] = (counts[protocol] ?? 0) + 1;
  return counts;
}

interface CountsProps {
  states: Partial<Record<DeviceState, number>>;
  protocols: Record<string, number>;
  filter: { state: string; protocol: string };
  name: (protocol: string) => string;
  onFilter: (patch: { state?: string; protocol?: string }) => void;
}

/** How many there are in each state and of each protocol; a count is also a filter. */
function Counts({ states, protocols, filter, name, onFilter }: CountsProps) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  const kinds = Object.entries(protocols).sort(([, a], [, b]) => b - a);
  return (
    <div className="device-counts">
      <div role="group" aria-label={t('overview.byState')}>
        {DEVICE_STATES.filter((state) => states[state]).map((state) => (
          <button
            key={state}
            type="button"
            className="count"
            aria-pressed={filter.state === state}
            onClick={() => onFilter({ state: filter.state === state ? '' : state })}
          >
            <span className={`tone-${deviceTone(state)}`}>
              <Dot tone={deviceTone(state)} />
            </span>
            {t(`deviceState.${state}`)} <strong>{count.format(states[state] ?? 0)}</strong>
          </button>
        ))}
      </div>
      {kinds.length > 1 ? (
        <div role="group" aria-label={t('devices.byProtocol')}>
          {kinds.map(([protocol, number]) => (
            <button
              key={protocol}
              type="button"
              className="count"
              aria-pressed={filter.protocol === protocol}
              onClick={() => onFilter({ protocol: filter.protocol === protocol ? '' : protocol })}
            >
              {name(protocol)} <strong>{count.format(number)}</strong>
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}
