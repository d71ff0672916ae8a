import type { OpcUaClient, OpcUaSession } from '../../api/types';
import { formatDuration } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { TableBox } from '../../ui/Table';
import { commonName } from './name';

interface SessionsProps {
  sessions: readonly OpcUaSession[];
  clients: readonly OpcUaClient[];
}

/** Who is connected, from where, and how it is secured. */
export function Sessions({ sessions, clients }: SessionsProps) {
  const { t } = useT();
  const names = new Map(
    clients.map(({ certificate }) => [certificate.thumbprint, commonName(certificate.subject)]),
  );
  return (
    <section>
      <h2>{t('opcua.sessions')}</h2>
      {sessions.length === 0 ? <p className="muted">{t('opcua.noSessions')}</p> : null}
      {sessions.length > 0 ? (
        <TableBox label={t('opcua.sessions')}>
          <table className="table opcua-table">
            <thead>
              <tr>
                <th scope="col">{t('opcua.user')}</th>
                <th scope="col">{t('opcua.application')}</th>
                <th scope="col">{t('opcua.from')}</th>
                <th scope="col">{t('opcua.security')}</th>
                <th scope="col">{t('opcua.idle')}</th>
              </tr>
            </thead>
            <tbody>
              {sessions.map((session, index) => (
                // Sessions have no name of their own that may be told.
                <tr key={index}>
                  <th scope="row" className="name-cell">
                    <span className="opcua-name">
                      {session.user ?? <span className="muted">{t('opcua.waiting')}</span>}
                    </span>
                    <small>
                      {session.token ? `${t('opcua.byToken')} · ` : ''}
                      {session.name}
                    </small>
                  </th>
                  <td data-label={t('opcua.application')}>
                    <span className="opcua-name">
                      {(session.certificate && names.get(session.certificate)) ?? session.application_uri}
                    </span>
                  </td>
                  <td data-label={t('opcua.from')}>{session.address}</td>
                  <td data-label={t('opcua.security')}>
                    <span className={session.encrypted ? undefined : 'tone-warn'}>{t(secured(session))}</span>
                  </td>
                  <td data-label={t('opcua.idle')}>
                    {t('opcua.idleFor', { duration: formatDuration(session.idle_s) })}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
    </section>
  );
}

function secured({ certificate, encrypted }: OpcUaSession) {
  if (encrypted) return 'opcua.encrypted' as const;
  return certificate ? ('opcua.signed' as const) : ('opcua.plain' as const);
}
