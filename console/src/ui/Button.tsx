import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { Link } from 'wouter';
import { Icon, type IconName } from './Icon';

type Kind = 'plain' | 'primary' | 'danger' | 'quiet';

interface Look {
  kind?: Kind;
  icon?: IconName;
  /** Only the icon shows; the label is what is read out and shown on hover. */
  iconOnly?: boolean;
}

function classOf({ kind = 'plain', iconOnly = false }: Look, more?: string): string {
  return ['button', `button-${kind}`, iconOnly ? 'button-icon' : '', more ?? ''].filter(Boolean).join(' ');
}

function content({ icon, iconOnly }: Look, label: ReactNode): ReactNode {
  return (
    <>
      {icon ? <Icon name={icon} /> : null}
      {iconOnly ? <span className="sr-only">{label}</span> : label}
    </>
  );
}

export interface ButtonProps extends Look, Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'children'> {
  label: string;
  busy?: boolean;
}

export function Button({ label, kind, icon, iconOnly, busy = false, className, ...rest }: ButtonProps) {
  const look = { kind, icon, iconOnly } as Look;
  return (
    <button
      type="button"
      title={iconOnly ? label : undefined}
      {...rest}
      className={classOf(look, className)}
      aria-busy={busy || undefined}
      disabled={busy || rest.disabled}
    >
      {content(look, label)}
    </button>
  );
}

export function LinkButton({
  label,
  to,
  kind,
  icon,
  iconOnly,
  className,
}: Look & { label: string; to: string; className?: string }) {
  const look = { kind, icon, iconOnly } as Look;
  return (
    <Link href={to} className={classOf(look, className)} title={iconOnly ? label : undefined}>
      {content(look, label)}
    </Link>
  );
}
