import type { ReactNode } from 'react';
import { useT } from '../i18n/i18n';
import { Icon, type IconName } from './Icon';

/** A page's head: its name, what it is about, and what can be done. */
export function PageHead({
  title,
  note,
  actions,
  children,
}: {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <header className="page-head">
      <title>{`${title} · Weir`}</title>
      <div className="page-title">
        <h1 tabIndex={-1}>{title}</h1>
        {note ? <div className="page-note">{note}</div> : null}
      </div>
      {actions ? <div className="page-actions">{actions}</div> : null}
      {children}
    </header>
  );
}

export function Loading() {
  const { t } = useT();
  return (
    <div className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {t('state.loading')}
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} size={32} />
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** Name and value pairs. */
export function Facts({ items }: { items: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value === null || value === undefined || value === '' ? <span className="muted">–</span> : value}
          </dd>
        </div>
      ))}
    </dl>
  );
}
