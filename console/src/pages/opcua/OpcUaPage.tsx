import { useOpcUaClients } from '../../api/queries';
import { useMay } from '../../api/session';
import type { OpcUaStatus } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { grouped } from '../../schema/schema';
import { Copyable } from '../../ui/Copy';
import { Icon } from '../../ui/Icon';
import { Empty, Facts, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { Clients } from './Clients';
import { Sessions } from './Sessions';
import './opcua.css';

/** The node's OPC UA server: how it is reached, which programs are let in, and who is connected. */
export default function OpcUaPage() {
  const { t } = useT();
  const may = useMay();
  const clients = useOpcUaClients();
  const { server, items } = clients.data ?? { server: undefined, items: [] };
  return (
    <>
      <PageHead title={t('opcua.title')} note={t('opcua.about')} />
      {clients.error ? <ProblemPanel error={clients.error} retry={() => void clients.refetch()} /> : null}
      {clients.isPending ? <Loading /> : null}
      {server === null ? <Off /> : null}
      {server ? (
        <div className="opcua">
          <Server server={server} />
          <Clients clients={items} sessions={server.sessions} mayChange={may('node:admin')} />
          <Sessions sessions={server.sessions} clients={items} />
        </div>
      ) : null}
    </>
  );
}

function Server({ server }: { server: OpcUaStatus }) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  return (
    <section className="card opcua-server">
      <Facts
        items={[
          [t('opcua.url'), <Copyable key="url" text={server.url} />],
          [t('opcua.applicationUri'), <Copyable key="uri" text={server.application_uri} />],
          [
            t('opcua.ownThumbprint'),
            <code key="thumbprint" className="opcua-thumbprint">
              {grouped(server.certificate.thumbprint)}
            </code>,
          ],
          [t('opcua.policies'), server.policies.join(', ')],
          [
            t('opcua.sessions'),
            t('opcua.sessionsOf', {
              count: count.format(server.sessions.length),
              max: count.format(server.sessions_max),
            }),
          ],
          [t('opcua.monitored'), count.format(server.monitored_items)],
        ]}
      />
      {server.policies.includes('None') ? (
        <p className="tone-warn opcua-warning">
          <Icon name="warning" /> {t('opcua.noPolicy')}
        </p>
      ) : null}
    </section>
  );
}

/** What to do where the server does not run. */
function Off() {
  const { t } = useT();
  return (
    <Empty icon="server" title={t('opcua.off')}>
      <p>{t('opcua.offAdvice')}</p>
      <pre className="command">weir serve --opcua 0.0.0.0:4840</pre>
      <p className="muted">{t('opcua.offSettings')}</p>
      <pre className="command">{'[opcua]\nenabled = true\naddress = "0.0.0.0:4840"'}</pre>
      <p className="muted">{t('opcua.offAccess')}</p>
    </Empty>
  );
}
