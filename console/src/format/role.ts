// What roles are called.
import type { Translate } from '../i18n/i18n';

export const ROLES = ['node-administrator', 'administrator', 'engineer', 'operator', 'viewer'] as const;

/** A role in the reader's language; one that a newer node knows is called what it is. */
export function roleLabel(role: string, t: Translate): string {
  const known = ROLES.find((one) => one === role);
  return known ? t(`role.${known}`) : role;
}
