import type { PeerCertificate } from '../api/types';
import { formatTime } from '../format/time';
import { useT } from '../i18n/i18n';
import { grouped } from '../schema/schema';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { Facts } from '../ui/Page';
import './device.css';

interface CertificateReviewProps {
  certificate: PeerCertificate;
  /** Trusts it; none where nobody can. */
  onTrust?: (() => void) | undefined;
  busy?: boolean;
}

/** What a device presented, for a person to compare with what the device itself shows. */
export function CertificateReview({ certificate, onTrust, busy = false }: CertificateReviewProps) {
  const { t } = useT();
  return (
    <section className="certificate" aria-label={t('certificate.title')}>
      <h3>
        <Icon name="key" /> {t('certificate.title')}
      </h3>
      <p>{t('certificate.advice')}</p>
      <CertificateFacts certificate={certificate} />
      {onTrust ? (
        <Button kind="primary" icon="check" label={t('certificate.trust')} busy={busy} onClick={onTrust} />
      ) : null}
    </section>
  );
}

/** What a certificate says. */
export function CertificateFacts({ certificate }: { certificate: PeerCertificate }) {
  const { t } = useT();
  const { thumbprint, subject, issuer, names, not_before, not_after } = certificate;
  const when = (time: string | null) => (time === null ? '–' : formatTime(time));
  const wrong = outdated(certificate);
  return (
    <Facts
      items={[
        [t('certificate.subject'), subject],
        [
          t('certificate.issuer'),
          issuer === subject ? `${issuer} (${t('certificate.selfSigned')})` : issuer,
        ],
        [t('certificate.names'), names.join(', ')],
        [
          t('certificate.validity'),
          <span key="validity" className={wrong ? 'tone-bad' : undefined}>
            {t('certificate.between', { from: when(not_before), to: when(not_after) })}
            {wrong ? ` – ${t(`certificate.${wrong}`)}` : ''}
          </span>,
        ],
        [
          t('certificate.thumbprint'),
          <code key="thumbprint" className="thumbprint">
            {grouped(thumbprint)}
          </code>,
        ],
      ]}
    />
  );
}

/** Why a certificate is not valid now. */
export function outdated({ not_before, not_after }: PeerCertificate): 'expired' | 'notYet' | undefined {
  const now = Date.now();
  if (not_after !== null && Date.parse(not_after) < now) return 'expired';
  return not_before !== null && Date.parse(not_before) > now ? 'notYet' : undefined;
}
