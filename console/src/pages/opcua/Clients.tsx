import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { post, remove, withId } from '../../api/client';
import type { OpcUaClient, OpcUaSession } from '../../api/types';
import { CertificateFacts, outdated } from '../../device/CertificateReview';
import { formatDay, formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { grouped } from '../../schema/schema';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Empty } from '../../ui/Page';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { commonName } from './name';

type Change = 'trust' | 'distrust' | 'forget';

interface Asked {
  client: OpcUaClient;
  change: Change;
}

interface ClientsProps {
  clients: readonly OpcUaClient[];
  sessions: readonly OpcUaSession[];
  mayChange: boolean;
}

/** Programs that were turned away and wait for somebody's review, and those that are let in. */
export function Clients({ clients, sessions, mayChange }: ClientsProps) {
  const { t } = useT();
  const [asked, setAsked] = useState<Asked>();
  const ask = mayChange ? setAsked : undefined;
  const refused = clients.filter((client) => !client.trusted);
  const trusted = clients.filter((client) => client.trusted);
  return (
    <>
      {clients.length === 0 ? (
        <Empty icon="key" title={t('opcua.none')}>
          <p>{t('opcua.noneAdvice')}</p>
        </Empty>
      ) : null}
      {refused.length > 0 ? (
        <section>
          <h2>{t('opcua.refused')}</h2>
          <Table title={t('opcua.refused')} clients={refused} onAsk={ask} />
        </section>
      ) : null}
      {trusted.length > 0 ? (
        <section>
          <h2>{t('opcua.trusted')}</h2>
          <Table title={t('opcua.trusted')} clients={trusted} sessions={sessions} onAsk={ask} />
        </section>
      ) : null}
      {asked ? <Question asked={asked} onClose={() => setAsked(undefined)} /> : null}
    </>
  );
}

interface TableProps {
  title: string;
  clients: readonly OpcUaClient[];
  /** Those that are open, where the clients are trusted. */
  sessions?: readonly OpcUaSession[];
  /** None where the reader may not. */
  onAsk: ((asked: Asked) => void) | undefined;
}

function Table({ title, clients, sessions, onAsk }: TableProps) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  const since = sessions ? t('opcua.trustedSince') : t('opcua.refusedAt');
  return (
    <TableBox label={title}>
      <table className="table opcua-table">
        <thead>
          <tr>
            <th scope="col">{t('opcua.client')}</th>
            <th scope="col">{t('certificate.thumbprint')}</th>
            <th scope="col">{t('opcua.validUntil')}</th>
            <th scope="col">{since}</th>
            {sessions ? (
              <th scope="col" className="number-cell">
                {t('opcua.sessions')}
              </th>
            ) : null}
            {onAsk ? (
              <th scope="col">
                <span className="sr-only">{t('state.actions')}</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {clients.map((client) => {
            const { certificate, application_uri } = client;
            const wrong = outdated(certificate);
            const open = sessions?.filter((one) => one.certificate === certificate.thumbprint).length;
            return (
              <tr key={certificate.thumbprint}>
                <th scope="row" className="name-cell">
                  <span className="opcua-name">{commonName(certificate.subject)}</span>
                  <small>{application_uri ?? '–'}</small>
                </th>
                <td data-label={t('certificate.thumbprint')}>
                  <code className="opcua-thumbprint">{grouped(certificate.thumbprint)}</code>
                </td>
                <td data-label={t('opcua.validUntil')}>
                  <span className={wrong ? 'tone-bad' : undefined}>
                    {certificate.not_after === null ? '–' : formatDay(new Date(certificate.not_after))}
                    {wrong ? ` – ${t(`certificate.${wrong}`)}` : ''}
                  </span>
                </td>
                <td data-label={since}>{formatTime(client.since)}</td>
                {open === undefined ? null : (
                  <td className="number-cell" data-label={t('opcua.sessions')}>
                    {count.format(open)}
                  </td>
                )}
                {onAsk ? <Actions client={client} onAsk={onAsk} /> : null}
              </tr>
            );
          })}
        </tbody>
      </table>
    </TableBox>
  );
}

function Actions({ client, onAsk }: { client: OpcUaClient; onAsk: (asked: Asked) => void }) {
  const { t } = useT();
  const name = commonName(client.certificate.subject);
  return (
    <td className="action-cell">
      <span className="opcua-actions">
        {client.trusted ? (
          <Button label={t('opcua.distrust')} onClick={() => onAsk({ client, change: 'distrust' })} />
        ) : (
          <>
            <Button kind="primary" label={t('opcua.review')} onClick={() => onAsk({ client, change: 'trust' })} />
            <Button
              kind="quiet"
              icon="trash"
              iconOnly
              label={t('opcua.forget', { name })}
              onClick={() => onAsk({ client, change: 'forget' })}
            />
          </>
        )}
      </span>
    </td>
  );
}

/** Asks once more, with what is to be compared. */
function Question({ asked: { client, change }, onClose }: { asked: Asked; onClose: () => void }) {
  const { t } = useT();
  const queries = useQueryClient();
  const say = useToast();
  const { certificate } = client;
  const name = commonName(certificate.subject);
  const words = {
    trust: { title: 'opcua.trustTitle', text: 'opcua.advice', action: 'opcua.trust', done: 'opcua.trustedNow' },
    distrust: {
      title: 'opcua.distrustTitle',
      text: 'opcua.distrustText',
      action: 'opcua.distrust',
      done: 'opcua.distrusted',
    },
    forget: {
      title: 'opcua.forgetTitle',
      text: 'opcua.forgetText',
      action: 'action.delete',
      done: 'opcua.forgotten',
    },
  } as const;
  const { title, text, action, done } = words[change];
  return (
    <ConfirmDialog
      title={t(title, { name })}
      text={
        <>
          <p>{t(text)}</p>
          <CertificateFacts certificate={certificate} />
        </>
      }
      action={t(action)}
      danger={change !== 'trust'}
      onConfirm={async () => {
        const { thumbprint } = certificate;
        if (change === 'forget') await remove(withId('/opcua/clients', thumbprint));
        else await post(withId('/opcua/clients', thumbprint, `/${change}`));
        say(t(done, { name }));
        await queries.invalidateQueries({ queryKey: ['opcua'] });
      }}
      onClose={onClose}
    />
  );
}
