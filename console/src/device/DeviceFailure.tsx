import { ApiError } from '../api/client';
import { useT } from '../i18n/i18n';
import { Icon } from '../ui/Icon';
import { ProblemPanel } from '../ui/Problem';
import { CertificateReview } from './CertificateReview';

/** The device's name and identifier, which the page shows anyway. */
const LABEL = /^.{1,200}? \([\w.-]+\/[^()\s]+\): /;

interface DeviceFailureProps {
  error: unknown;
  /** The pointers of fields whose errors already stand beside their inputs. */
  placed?: ((field: string) => boolean) | undefined;
  /** Trusts the certificate that the failure is about. */
  onTrust?: ((thumbprint: string) => void) | undefined;
}

/** What a device or its driver said, in its own words, and what to do. */
export function DeviceFailure({ error, placed, onTrust }: DeviceFailureProps) {
  const { t } = useT();
  const api = error instanceof ApiError ? error : undefined;
  const certificate = api?.certificate;
  if (certificate)
    return (
      <CertificateReview
        certificate={certificate}
        onTrust={onTrust ? () => onTrust(certificate.thumbprint) : undefined}
      />
    );
  const driver = api && ['device-failed', 'timeout', 'conflict'].includes(api.code) && api.detail;
  if (!driver) return <ProblemPanel error={error} {...(placed ? { placed } : {})} />;
  return (
    <div className="problem" role="alert">
      <Icon name="warning" size={22} />
      <div>
        <strong>{api.detail.replace(LABEL, '')}</strong>
        <p>{t(`problem.device-failed.advice`)}</p>
        {api.request ? (
          <p className="problem-request">
            {t('problem.request')} <code>{api.request}</code>
          </p>
        ) : null}
      </div>
    </div>
  );
}
