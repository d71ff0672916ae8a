// An audit entry in a few words.
import type { AuditItem } from '../../api/types';

export const EVENT_KINDS = ['change', 'refusal', 'sign_in', 'flood', 'note'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** The collections that have a name for people. */
export const COLLECTIONS = [
  'organisations',
  'assets',
  'devices',
  'device_templates',
  'tags',
  'identifiers',
  'users',
  'tokens',
  'policies',
  'sessions',
  'passwords',
  'commands',
] as const;
export type Collection = (typeof COLLECTIONS)[number];

export interface ChangedObject {
  op: 'created' | 'changed' | 'deleted';
  collection: string;
  known: Collection | undefined;
  key: string;
}

export interface EventSummary {
  /** None for a kind that a newer node knows. */
  kind: EventKind | undefined;
  /** What was changed; the thing itself before what goes with it. */
  objects: ChangedObject[];
  /** The event on one line, where it is no change. */
  text: string;
}

export function summarize({ kind, event }: Pick<AuditItem, 'kind' | 'event'>): EventSummary {
  const content = typeof event === 'object' && event !== null ? (event as Record<string, unknown>) : {};
  const changes = Array.isArray(content['changes']) ? (content['changes'] as Record<string, unknown>[]) : [];
  const objects = changes.map(changedObject).sort((a, b) => rank(a) - rank(b));
  const text =
    objects.length > 0 ? '' : typeof content['text'] === 'string' ? content['text'] : oneLine(content);
  return { kind: EVENT_KINDS.find((known) => known === kind), objects, text };
}

function changedObject(change: Record<string, unknown>): ChangedObject {
  const collection = String(change['collection'] ?? '');
  const op = change['op'] === 'delete' ? 'deleted' : change['version'] === 1 ? 'created' : 'changed';
  return {
    op,
    collection,
    known: COLLECTIONS.find((known) => known === collection),
    key: String(change['key'] ?? ''),
  };
}

/** Devices before their tags, everything before the identifier records and counters that go with it. */
function rank({ collection, known }: ChangedObject): number {
  if (collection === 'identifiers' || !known) return 2;
  return collection === 'tags' ? 1 : 0;
}

function oneLine(content: Record<string, unknown>): string {
  return Object.entries(content)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}
