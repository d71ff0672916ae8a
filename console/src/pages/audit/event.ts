// An audit entry's event in a few words. Its shape is `{kind: …}` or `{Kind: {…}}`.

export const EVENT_KINDS = ['change', 'refusal', 'sign-in', 'flood', 'note'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface EventSummary {
  kind: EventKind | undefined;
  /** The kind's own name, when it is none of the known. */
  name: string;
  /** The rest of the event. */
  content: Record<string, unknown>;
  /** What was changed or refused. */
  objects: { op: string; collection: string; key: string }[];
}

export function summarize(event: unknown): EventSummary {
  const { name, content } = unpack(event);
  const plain = name.replace(/([a-z])([A-Z])/g, '$1-$2').replaceAll('_', '-').toLowerCase();
  const changes = Array.isArray(content['changes']) ? (content['changes'] as Record<string, unknown>[]) : [];
  return {
    kind: EVENT_KINDS.find((kind) => kind === plain),
    name,
    content,
    objects: changes.map((change) => ({ op: String(change['op'] ?? ''), collection: String(change['collection'] ?? ''), key: String(change['key'] ?? '') })),
  };
}

function unpack(event: unknown): { name: string; content: Record<string, unknown> } {
  if (typeof event === 'string') return { name: event, content: {} };
  if (typeof event !== 'object' || event === null) return { name: '', content: {} };
  const record = event as Record<string, unknown>;
  for (const tag of ['kind', 'type', 'event']) {
    if (typeof record[tag] === 'string') {
      const { [tag]: name, ...content } = record;
      return { name: String(name), content };
    }
  }
  const [name, content] = Object.entries(record)[0] ?? ['', {}];
  return { name, content: typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : { value: content } };
}
