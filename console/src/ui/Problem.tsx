import { ApiError } from '../api/client';
import { useT, type Key, type Translate } from '../i18n/i18n';
import { Button } from './Button';
import { Icon } from './Icon';

const CODES = [
  'invalid-request',
  'unauthenticated',
  'forbidden',
  'csrf-missing',
  'not-found',
  'method-not-allowed',
  'conflict',
  'version-conflict',
  'too-large',
  'unsupported-media-type',
  'unknown-tag',
  'invalid-value',
  'time-in-future',
  'query-limit',
  'precondition-required',
  'too-many-requests',
  'internal',
  'not-implemented',
  'device-failed',
  'device-untrusted',
  'unavailable',
  'timeout',
  'network',
  'unexpected-answer',
] as const;

/** What kind of problem it is, in the reader's language. */
export function problemTitle(error: unknown, t: Translate): string {
  if (!(error instanceof ApiError)) return t('problem.script.title');
  const code = CODES.find((known) => known === error.code);
  return code
    ? t(`problem.${code}.title` satisfies Key)
    : error.title || t('problem.unexpected-answer.title');
}

function problemAdvice(error: unknown, t: Translate): string {
  if (!(error instanceof ApiError)) return t('problem.script.advice');
  if (error.retryAfterS) return t('problem.retryAfter', { seconds: error.retryAfterS });
  const code = CODES.find((known) => known === error.code);
  return code ? t(`problem.${code}.advice` satisfies Key) : '';
}

export interface ProblemPanelProps {
  error: unknown;
  retry?: (() => void) | undefined;
  /** The pointers of fields whose errors already stand beside their inputs. */
  placed?: (field: string) => boolean;
}

/** A failure worth reading: what, what to do, what the node said, and where to find it in the log. */
export function ProblemPanel({ error, retry, placed }: ProblemPanelProps) {
  const { t } = useT();
  const api = error instanceof ApiError ? error : undefined;
  const said = api ? api.detail : String(error);
  const loose = api?.fields.filter((field) => !placed?.(field.field)) ?? [];
  return (
    <div className="problem" role="alert">
      <Icon name="warning" size={22} />
      <div>
        <strong>{problemTitle(error, t)}</strong>
        <p>{problemAdvice(error, t)}</p>
        {said && api?.code !== 'network' ? <p className="problem-said">{said}</p> : null}
        {loose.length > 0 ? (
          <ul>
            {loose.map((field) => (
              <li key={field.field + field.detail}>
                <code>{field.field}</code> {field.detail}
              </li>
            ))}
          </ul>
        ) : null}
        {api?.request ? (
          <p className="problem-request">
            {t('problem.request')} <code>{api.request}</code>
          </p>
        ) : null}
        {retry ? <Button icon="restart" label={t('action.retry')} onClick={retry} /> : null}
      </div>
    </div>
  );
}

/** The message for one field, by the end of its JSON pointer. */
export function fieldError(error: unknown, pointer: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return error.fields.find((field) => field.field === pointer)?.detail;
}
