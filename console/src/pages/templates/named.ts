// Whether a template's name is taken.
import { getAll } from '../../api/client';
import type { TemplateSummary } from '../../api/types';

/** Most templates looked through; their names hold all the words asked for. */
const LOOKED_AT_MAX = 1000;

/** The template that is called so, whatever the case of its letters. */
export async function sameName(name: string): Promise<TemplateSummary | undefined> {
  const wanted = name.trim().toLowerCase();
  const { items } = await getAll<TemplateSummary>('/templates', { q: wanted }, LOOKED_AT_MAX);
  return items.find((template) => template.name.toLowerCase() === wanted);
}
