import { useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useSession } from '../api/session';
import type { Session } from '../api/types';
import { displayName } from '../format/name';
import { roleLabel } from '../format/role';
import { chooseLanguage, LANGUAGES, useT } from '../i18n/i18n';
import { Button } from '../ui/Button';
import { Icon, type IconName } from '../ui/Icon';
import { href } from '../url/search';
import { chooseTheme, THEMES, useTheme, type Theme } from './theme';

const THEME_ICONS: Record<Theme, IconName> = { system: 'system', light: 'sun', dark: 'moon' };

export function TopBar({ session }: { session: Session }) {
  const { t, language } = useT();
  return (
    <header className="top">
      <Link href="/" className="brand" aria-label="Weir">
        <Wave />
        <span>Weir</span>
      </Link>
      <span className="organisation" title={session.tenant?.prefix}>
        {session.tenant ? displayName(session.tenant, language) : t('shell.node')}
      </span>
      <GoTo />
      <LanguageButton />
      <ThemeButton />
      <UserMenu session={session} label={t('shell.user', { name: session.name })} />
    </header>
  );
}

/** The mark of Weir: water over a sill. */
export function Wave() {
  return (
    <svg className="wave" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="6" fill="currentColor" />
      <path
        d="M5 11c3.7 0 3.7 3 7.3 3s3.7-3 7.4-3 3.6 3 7.3 3M5 18c3.7 0 3.7 3 7.3 3s3.7-3 7.4-3 3.6 3 7.3 3"
        fill="none"
        stroke="var(--wave)"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
    </svg>
  );
}

/** An identifier leads to its record, any other word to the tags that match. */
function GoTo() {
  const { t } = useT();
  const [, navigate] = useLocation();
  const [text, setText] = useState('');
  return (
    <form
      className="search goto"
      role="search"
      aria-label={t('search.everywhere')}
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = text.trim();
        if (wanted === '') return;
        navigate(wanted.includes('/') ? href('/identify', { id: wanted }) : href('/tags', { q: wanted }));
        setText('');
      }}
    >
      <Icon name="search" />
      <input
        type="search"
        data-search=""
        aria-label={t('search.everywhere')}
        placeholder={t('search.everywhere')}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {text ? null : (
        <kbd aria-hidden="true" title={t('search.key')}>
          /
        </kbd>
      )}
    </form>
  );
}

function LanguageButton() {
  const { language } = useT();
  const other = LANGUAGES.find((one) => one.code !== language) ?? LANGUAGES[0]!;
  return (
    <button
      type="button"
      className="button button-quiet wide-only"
      lang={other.code}
      onClick={() => void chooseLanguage(other.code)}
    >
      <Icon name="language" />
      {other.name}
    </button>
  );
}

function ThemeButton() {
  const { t } = useT();
  const theme = useTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  return (
    <Button
      className="wide-only"
      kind="quiet"
      icon={THEME_ICONS[theme]}
      iconOnly
      label={t('shell.theme', { theme: t(`theme.${theme}`) })}
      onClick={() => chooseTheme(next)}
    />
  );
}

/** Language and theme as choices, for menus. */
export function Preferences() {
  const { t, language } = useT();
  const theme = useTheme();
  return (
    <div className="preferences">
      <fieldset className="segments">
        <legend>{t('shell.language')}</legend>
        {LANGUAGES.map((one) => (
          <button
            key={one.code}
            type="button"
            lang={one.code}
            aria-pressed={one.code === language}
            onClick={() => void chooseLanguage(one.code)}
          >
            {one.name}
          </button>
        ))}
      </fieldset>
      <fieldset className="segments">
        <legend>{t('shell.appearance')}</legend>
        {THEMES.map((one) => (
          <button key={one} type="button" aria-pressed={one === theme} onClick={() => chooseTheme(one)}>
            {t(`theme.${one}`)}
          </button>
        ))}
      </fieldset>
    </div>
  );
}

function UserMenu({ session, label }: { session: Session; label: string }) {
  const { t } = useT();
  const { signOut } = useSession();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      setOpen(false);
      opener.current?.focus();
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    document.addEventListener('keydown', escape);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
      document.removeEventListener('keydown', escape);
    };
  }, [open]);
  return (
    <div className="menu" ref={box}>
      <button
        ref={opener}
        type="button"
        className="button button-quiet"
        aria-expanded={open}
        aria-label={label}
        onClick={() => setOpen(!open)}
      >
        <Icon name="user" />
        <span className="wide-only">{session.name}</span>
      </button>
      {open ? (
        <div className="menu-body">
          <p>
            <strong>{session.name}</strong>
            <span className="muted">{session.roles.map((role) => roleLabel(role, t)).join(', ')}</span>
          </p>
          <Link href="/account" className="button button-quiet" onClick={() => setOpen(false)}>
            <Icon name="user" />
            {t('shell.account')}
          </Link>
          <Button kind="quiet" icon="right" label={t('shell.signOut')} onClick={() => void signOut()} />
        </div>
      ) : null}
    </div>
  );
}
