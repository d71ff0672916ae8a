import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { ApiError, getVersioned, put } from '../../api/client';
import { nodeNow } from '../../api/clock';
import { useMay, useSession } from '../../api/session';
import type { HistorianSpan, Keep, Retention, RetentionRule } from '../../api/types';
import { formatBytes } from '../../format/bytes';
import { formatDay } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { useDraft } from '../../ui/draft';
import { SelectField, TextField } from '../../ui/Field';
import { Loading } from '../../ui/Page';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { useToast } from '../../ui/Toast';
import {
  DAYS_MAX,
  draftsOf,
  effectsOf,
  KEEPS,
  nextRule,
  parseRules,
  takesMore,
  type RuleDraft,
  type RuleFault,
} from './retention';

interface Typed {
  /** Of which version the rules were when typing began; none while nothing is typed. */
  etag: string | null;
  rules: RuleDraft[] | null;
}

const UNTYPED: Typed = { etag: null, rules: null };

/** How long the organisation's samples are kept: to be seen, and to be said. */
export function RetentionCard({ spans }: { spans: readonly HistorianSpan[] | undefined }) {
  const { t } = useT();
  const may = useMay();
  const say = useToast();
  const queries = useQueryClient();
  const { state } = useSession();
  const tenant = state.kind === 'signed-in' ? state.session.tenant : null;
  const retention = useQuery({
    queryKey: ['retention'],
    queryFn: ({ signal }) => getVersioned<Retention>('/retention', signal),
  });
  const draft = useDraft<Typed>(`retention.${tenant?.id ?? ''}`, UNTYPED);
  const [asking, setAsking] = useState<RetentionRule[]>();
  const [failure, setFailure] = useState<unknown>();
  const [told, setTold] = useState(false);
  const head = useRef<HTMLHeadingElement>(null);

  if (retention.error) return <ProblemPanel error={retention.error} retry={() => void retention.refetch()} />;
  if (!retention.data) return <Loading />;
  const stored = retention.data;
  const typed = draft.value.rules;
  const shown = typed ?? draftsOf(stored.body.rules);
  // Somebody else's rules may have come while ours were typed.
  const stale = typed !== null && draft.value.etag !== stored.etag;
  const parsed = parseRules(shown);
  const change = (rules: RuleDraft[]) => {
    setFailure(undefined);
    draft.change((now) => ({ etag: now.rules ? now.etag : stored.etag, rules }));
  };
  const drop = () => {
    setFailure(undefined);
    setTold(false);
    draft.discard(UNTYPED);
    head.current?.focus();
  };
  const save = async (rules: RetentionRule[]) => {
    setFailure(undefined);
    try {
      await put<Retention>('/retention', { rules }, draft.value.etag ?? stored.etag);
    } catch (error) {
      // What is stored now is read, so that it can be compared with what was typed.
      if (error instanceof ApiError && error.code === 'version-conflict') void retention.refetch();
      throw error;
    }
    await queries.invalidateQueries({ queryKey: ['retention'] });
    say(t('state.saved'));
    drop();
  };
  const submit = () => {
    setTold(true);
    if (!parsed.rules) return;
    if (takesMore(stored.body.rules, parsed.rules)) setAsking(parsed.rules);
    else void save(parsed.rules).catch(setFailure);
  };
  const canWrite = may('retention:write');
  const next = nextRule(shown);
  const own = tenant ? spans?.filter((span) => span.tenant === tenant.id) : undefined;
  return (
    <section className="card retention" aria-label={t('retention.title')}>
      <h2 ref={head} tabIndex={-1}>
        {t('retention.title')}
      </h2>
      <p className="muted">{t('retention.about')}</p>
      {draft.restored ? <p className="banner banner-calm">{t('state.restored')}</p> : null}
      {stale ? (
        <div className="banner" role="alert">
          <span>{t('retention.stale', { rules: ruleTexts(stored.body.rules, t).join(' ') })}</span>
          <Button
            label={t('retention.keepTyped')}
            onClick={() => draft.change((now) => ({ ...now, etag: stored.etag }))}
          />
        </div>
      ) : null}
      {failure ? <ProblemPanel error={failure} placed={(field) => /^\/rules\/\d/.test(field)} /> : null}
      {canWrite ? (
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            submit();
          }}
        >
          {shown.length === 0 ? <p>{t('retention.everything')}</p> : null}
          {shown.map((rule, index) => (
            <RuleFields
              key={index}
              rule={rule}
              fault={told ? parsed.faults?.[index] : undefined}
              said={
                fieldError(failure, `/rules/${index}/after_days`) ?? fieldError(failure, `/rules/${index}`)
              }
              onChange={(one) => change(shown.map((old, at) => (at === index ? one : old)))}
              onRemove={() => change(shown.filter((_, at) => at !== index))}
            />
          ))}
          <div className="form-foot retention-foot">
            {next ? (
              <Button icon="plus" label={t('retention.add')} onClick={() => change([...shown, next])} />
            ) : null}
            {typed ? (
              <>
                <Button label={t('action.discard')} onClick={drop} />
                <Button kind="primary" type="submit" label={t('action.save')} />
              </>
            ) : null}
          </div>
        </form>
      ) : (
        <ul className="plain-list">
          {(stored.body.rules.length > 0 ? ruleTexts(stored.body.rules, t) : [t('retention.everything')]).map(
            (text) => (
              <li key={text}>{text}</li>
            ),
          )}
        </ul>
      )}
      {asking ? (
        <ConfirmDialog
          title={t('retention.confirmTitle')}
          text={<Effects rules={asking} spans={own} />}
          action={t('retention.confirm')}
          danger
          onConfirm={() => save(asking)}
          onClose={() => setAsking(undefined)}
        />
      ) : null}
    </section>
  );
}

type T = ReturnType<typeof useT>['t'];

function ruleTexts(rules: readonly RetentionRule[], t: T): string[] {
  return rules.map((rule) => t('retention.rule', { days: rule.after_days, keep: t(`keep.${rule.keep}`) }));
}

function RuleFields({
  rule,
  fault,
  said,
  onChange,
  onRemove,
}: {
  rule: RuleDraft;
  fault: RuleFault | undefined;
  said: string | undefined;
  onChange: (rule: RuleDraft) => void;
  onRemove: () => void;
}) {
  const { t } = useT();
  return (
    <div className="retention-rule">
      <TextField
        label={t('retention.after')}
        inputMode="numeric"
        value={rule.days}
        error={
          fault === 'days'
            ? t('field.bounds', { min: 1, max: DAYS_MAX })
            : fault === 'later'
              ? t('retention.later')
              : said
        }
        onChange={(days) => onChange({ ...rule, days })}
      />
      <SelectField
        label={t('retention.keep')}
        value={rule.keep}
        error={fault === 'less' ? t('retention.less') : undefined}
        onChange={(keep) => onChange({ ...rule, keep: keep as Keep })}
      >
        {KEEPS.map((keep) => (
          <option key={keep} value={keep}>
            {t(`keep.${keep}`)}
          </option>
        ))}
      </SelectField>
      <Button kind="quiet" icon="trash" iconOnly label={t('retention.remove')} onClick={onRemove} />
    </div>
  );
}

/** What is removed by rules, in days and, where the files are known, in samples. */
function Effects({
  rules,
  spans,
}: {
  rules: readonly RetentionRule[];
  spans: readonly HistorianSpan[] | undefined;
}) {
  const { t, language } = useT();
  const count = new Intl.NumberFormat(language);
  const effects = effectsOf(rules, spans, new Date(nodeNow() * 1000));
  return (
    <>
      <p>
        <strong>{t('retention.confirmText')}</strong>
      </p>
      <ul className="retention-effects">
        {effects.map((effect) => {
          const days = {
            before: formatDay(effect.before),
            since: effect.since ? formatDay(effect.since) : '',
          };
          return (
            <li key={effect.keep}>
              {effect.since
                ? t('retention.effectBetween', { ...days, keep: t(`keep.${effect.keep}`) })
                : t('retention.effect', { before: days.before, keep: t(`keep.${effect.keep}`) })}
              {effect.rows === undefined ? null : (
                <span className="reason">
                  {effect.rows > 0
                    ? t('retention.reached', {
                        rows: count.format(effect.rows),
                        bytes: formatBytes(effect.bytes ?? 0),
                      })
                    : t('retention.reachedNone')}
                </span>
              )}
            </li>
          );
        })}
      </ul>
      <p className="muted">{t('retention.lastStays')}</p>
    </>
  );
}
