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
  const { thumbprint, subject, issuer, names, not_before, not_after } = certificate;
  const now = Date.now();
  const early = not_before !== null && Date.parse(not_before) > now;
  const late = not_after !== null && Date.parse(not_after) < now;
  const when = (time: string | null) => (time === null ? '–' : formatTime(time));
  return (
    <section className="certificate" aria-label={t('certificate.title')}>
      <h3>
        <Icon name="key" /> {t('certificate.title')}
      </h3>
      <p>{t('certificate.advice')}</p>
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
            <span key="validity" className={early || late ? 'tone-bad' : undefined}>
              {t('certificate.between', { from: when(not_before), to: when(not_after) })}
              {late ? ` – ${t('certificate.expired')}` : early ? ` – ${t('certificate.notYet')}` : ''}
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
      {onTrust ? (
        <Button kind="primary" icon="check" label={t('certificate.trust')} busy={busy} onClick={onTrust} />
      ) : null}
    </section>
  );
}
