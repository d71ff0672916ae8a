import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { post, withId } from '../../api/client';
import { useMqttClients } from '../../api/queries';
import { useMay } from '../../api/session';
import type { MqttClient } from '../../api/types';
import { formatDuration, formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { SelectField } from '../../ui/Field';
import { More } from '../../ui/More';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { Dot } from '../../ui/Status';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { useSearchState } from '../../url/search';
import './broker.css';

/** Who is connected to the node's own MQTT broker. */
export default function BrokerPage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const [ending, setEnding] = useState<MqttClient>();
  const filter = { q: (search.get('q') ?? '').trim(), connected: search.get('connected') ?? '' };
  const clients = useMqttClients(filter);
  const broker = clients.data?.pages[0]?.broker;
  const items = clients.data?.pages.flatMap((page) => page.items) ?? [];
  const count = new Intl.NumberFormat(language);
  const canEnd = may('device:write');
  const filtered = filter.q !== '' || filter.connected !== '';
  return (
    <>
      <PageHead title={t('broker.title')} note={t('broker.about')} />
      {clients.error ? <ProblemPanel error={clients.error} retry={() => void clients.refetch()} /> : null}
      {clients.isPending ? <Loading /> : null}
      {broker === null ? <Off /> : null}
      {broker ? (
        <>
          <dl className="broker-facts">
            <div>
              <dt>{t('broker.listens')}</dt>
              <dd>
                <code>
                  {broker.tls ? 'mqtts' : 'mqtt'}://{broker.address}
                </code>
              </dd>
            </div>
            <div>
              <dt>{t('broker.sessions')}</dt>
              <dd>{count.format(broker.sessions)}</dd>
            </div>
            <div>
              <dt>{t('broker.retained')}</dt>
              <dd>{count.format(broker.retained)}</dd>
            </div>
          </dl>
          <div className="filters">
            <SearchField
              label={t('broker.search')}
              value={search.get('q') ?? ''}
              onChange={(q) => setSearch({ q }, true)}
            />
            <SelectField
              label={t('broker.state')}
              value={filter.connected}
              onChange={(connected) => setSearch({ connected })}
            >
              <option value="">{t('broker.allClients')}</option>
              <option value="true">{t('broker.connected')}</option>
              <option value="false">{t('broker.kept')}</option>
            </SelectField>
          </div>
          {items.length === 0 ? (
            <Empty icon="broker" title={filtered ? t('broker.noMatch') : t('broker.none')}>
              {filtered ? null : <p>{t('broker.noneAdvice')}</p>}
            </Empty>
          ) : (
            <Clients clients={items} onEnd={canEnd ? setEnding : undefined} />
          )}
        </>
      ) : null}
      <More of={clients} />
      {ending ? (
        <ConfirmDialog
          title={t('broker.endTitle', { name: ending.client_id })}
          text={t('broker.endText')}
          action={t('broker.end')}
          danger
          onConfirm={async () => {
            await post(withId('/mqtt/clients', ending.client_id, '/disconnect'));
            say(t('broker.ended', { name: ending.client_id }));
            await queries.invalidateQueries({ queryKey: ['mqtt'] });
          }}
          onClose={() => setEnding(undefined)}
        />
      ) : null}
    </>
  );
}

/** What to do where the broker does not run. */
function Off() {
  const { t } = useT();
  return (
    <Empty icon="broker" title={t('broker.off')}>
      <p>{t('broker.offAdvice')}</p>
      <pre className="command">weir serve --mqtt 0.0.0.0:1883</pre>
      <p className="muted">{t('broker.offSettings')}</p>
      <pre className="command">{'[mqtt]\nenabled = true\naddress = "0.0.0.0:1883"'}</pre>
      <p className="muted">{t('broker.offAccess')}</p>
    </Empty>
  );
}

interface ClientsProps {
  clients: readonly MqttClient[];
  /** None where the reader may not. */
  onEnd: ((client: MqttClient) => void) | undefined;
}

function Clients({ clients, onEnd }: ClientsProps) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  return (
    <TableBox label={t('broker.title')}>
      <table className="table broker-table">
        <thead>
          <tr>
            <th scope="col">{t('broker.client')}</th>
            <th scope="col">{t('broker.state')}</th>
            <th scope="col">{t('broker.from')}</th>
            <th scope="col" className="number-cell">
              {t('broker.subscriptions')}
            </th>
            <th scope="col" className="number-cell">
              {t('broker.queued')}
            </th>
            <th scope="col" className="number-cell">
              {t('broker.in')}
            </th>
            <th scope="col" className="number-cell">
              {t('broker.out')}
            </th>
            {onEnd ? (
              <th scope="col">
                <span className="sr-only">{t('state.actions')}</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {clients.map((client) => {
            const { connection } = client;
            return (
              <tr key={client.client_id}>
                <th scope="row" className="name-cell">
                  <span className="broker-id">{client.client_id}</span>
                  <small>{client.user}</small>
                </th>
                <td>
                  {connection ? (
                    <span className="tone-good mark" title={formatTime(connection.since)}>
                      <Dot tone="good" /> {t('broker.connected')}{' '}
                      <small className="muted">
                        {formatDuration((Date.now() - Date.parse(connection.since)) / 1000)}
                      </small>
                    </span>
                  ) : (
                    <span className="muted mark" title={t('broker.keptHint')}>
                      <Dot tone="idle" /> {t('broker.kept')}
                    </span>
                  )}
                </td>
                <td>
                  {connection ? (
                    <>
                      {connection.address}
                      <small className="broker-how">
                        {connection.version === 5 ? 'MQTT 5' : 'MQTT 3.1.1'}{' '}
                        {connection.tls ? (
                          'TLS'
                        ) : (
                          // What stays within the computer can be read by nobody else.
                          <span className={isLoopback(connection.address) ? '' : 'tone-warn'}>
                            {t('broker.plain')}
                          </span>
                        )}
                      </small>
                    </>
                  ) : null}
                </td>
                <td className="number-cell" title={filtersOf(client)} data-label={t('broker.subscriptions')}>
                  {count.format(client.subscriptions)}
                </td>
                <td className="number-cell" data-label={t('broker.queued')}>
                  {count.format(client.queued)}
                  {client.inflight > 0 ? (
                    <small className="muted"> +{count.format(client.inflight)}</small>
                  ) : null}
                </td>
                <td className="number-cell" data-label={t('broker.in')}>
                  {connection ? count.format(connection.messages_in) : '–'}
                </td>
                <td className="number-cell" data-label={t('broker.out')}>
                  {connection ? count.format(connection.messages_out) : '–'}
                </td>
                {onEnd ? (
                  <td className="action-cell">
                    {connection ? (
                      <Button
                        kind="quiet"
                        icon="close"
                        iconOnly
                        label={t('broker.endOf', { name: client.client_id })}
                        onClick={() => onEnd(client)}
                      />
                    ) : null}
                  </td>
                ) : null}
              </tr>
            );
          })}
        </tbody>
      </table>
    </TableBox>
  );
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}

/** The topic filters, one a line. */
function filtersOf({ filters, subscriptions }: MqttClient): string {
  const more = subscriptions > filters.length ? ['…'] : [];
  return [...filters, ...more].join('\n');
}
