// The rules of retention as they are typed, and what they would do.
import type { HistorianSpan, Keep, RetentionRule } from '../../api/types';

/** Most rules: each keeps less than the one before it. */
export const RULES_MAX = 4;
/** Latest age that a rule can begin at. */
export const DAYS_MAX = 36_525;
/** What a rule can keep, from most to least. */
export const KEEPS: readonly Exclude<Keep, 'all'>[] = ['minute', 'hour', 'day', 'nothing'];

const DAY_MS = 86_400_000;

/** A rule as it is typed. */
export interface RuleDraft {
  days: string;
  keep: Keep;
}

export function draftsOf(rules: readonly RetentionRule[]): RuleDraft[] {
  return rules.map((rule) => ({ days: String(rule.after_days), keep: rule.keep }));
}

/** The next rule worth offering after some: later, and keeping less. */
export function nextRule(rules: readonly RuleDraft[]): RuleDraft | undefined {
  const last = rules.at(-1);
  const keep = KEEPS[last ? KEEPS.indexOf(last.keep as (typeof KEEPS)[number]) + 1 : 0];
  if (!keep || rules.length >= RULES_MAX) return undefined;
  const days = last && /^\d+$/.test(last.days) ? Math.min(DAYS_MAX, Number(last.days) * 10) : 90;
  return { days: String(days), keep };
}

export type RuleFault = 'days' | 'later' | 'less';

/** The rules where they can be sent, else what is wrong with each. */
export function parseRules(
  drafts: readonly RuleDraft[],
): { rules: RetentionRule[]; faults?: never } | { rules?: never; faults: (RuleFault | undefined)[] } {
  const days = drafts.map(({ days }) => (/^\d{1,6}$/.test(days.trim()) ? Number(days) : Number.NaN));
  const faults = drafts.map((draft, index): RuleFault | undefined => {
    const own = days[index]!;
    if (!(own >= 1 && own <= DAYS_MAX)) return 'days';
    if (index === 0) return undefined;
    if (own <= days[index - 1]!) return 'later';
    const rank = (keep: Keep) => KEEPS.indexOf(keep as (typeof KEEPS)[number]);
    return rank(draft.keep) <= rank(drafts[index - 1]!.keep) ? 'less' : undefined;
  });
  if (faults.some(Boolean)) return { faults };
  return { rules: drafts.map(({ keep }, index) => ({ after_days: days[index]!, keep })) };
}

/** What one rule takes from the files that there are. */
export interface Effect {
  keep: Keep;
  /** Samples before this time. */
  before: Date;
  /** Up to this age another rule holds. */
  since: Date | undefined;
  /** Rows of the files that it reaches, as far as that is known. */
  rows: number | undefined;
  bytes: number | undefined;
}

/** What the rules do at `now` to the files of one organisation. */
export function effectsOf(
  rules: readonly RetentionRule[],
  spans: readonly HistorianSpan[] | undefined,
  now: Date,
): Effect[] {
  const at = (rule: RetentionRule) => new Date(now.getTime() - rule.after_days * DAY_MS);
  return rules.map((rule, index) => {
    const [before, next] = [at(rule), rules[index + 1]];
    const since = next ? at(next) : undefined;
    // A file counts where it begins: the numbers are of days and months, not of samples.
    const reached = spans?.filter(
      (span) =>
        Date.parse(span.from) < before.getTime() && (!since || Date.parse(span.from) >= since.getTime()),
    );
    return {
      keep: rule.keep,
      before,
      since,
      rows: reached?.reduce((sum, span) => sum + span.rows, 0),
      bytes: reached?.reduce((sum, span) => sum + span.bytes, 0),
    };
  });
}

/** Whether the new rules keep less than the old ones of some age. */
export function takesMore(before: readonly RetentionRule[], after: readonly RetentionRule[]): boolean {
  const rank = (keep: Keep) => KEEPS.indexOf(keep as (typeof KEEPS)[number]) + 1;
  const keptAt = (rules: readonly RetentionRule[], days: number) =>
    Math.max(0, ...rules.filter((rule) => rule.after_days <= days).map((rule) => rank(rule.keep)));
  return after.some((rule) => keptAt(after, rule.after_days) > keptAt(before, rule.after_days));
}
