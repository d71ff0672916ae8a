// The frame around every page: top bar, navigation, the page itself.
import { Suspense, useEffect, useRef, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { useMay } from '../api/session';
import type { Session } from '../api/types';
import { useT } from '../i18n/i18n';
import { useStreamState } from '../live/live';
import { NotFoundPage } from '../pages/NotFoundPage';
import { PAGES, type PageEntry } from '../pages/pages';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';
import { Loading } from '../ui/Page';
import { ErrorBoundary } from './ErrorBoundary';
import { Preferences, TopBar } from './TopBar';

/** Entries in the narrow screen's bottom bar, before "more". */
const BOTTOM_ENTRIES = 4;
/** How long a connection may be away before the page says so. */
const LOST_AFTER_MS = 3_000;

type NavEntry = PageEntry & { nav: NonNullable<PageEntry['nav']> };

export function Shell({ session }: { session: Session }) {
  const { t } = useT();
  const may = useMay();
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const [drawer, setDrawer] = useState(false);
  const entries = PAGES.filter(
    (page): page is NavEntry => page.nav !== undefined && (!page.needs || may(page.needs)),
  );
  useSearchKey();
  useFocusOnMove(main, path);

  const links = (list: readonly NavEntry[], onClick?: () => void) =>
    list.map((entry) => <NavLink key={entry.path} entry={entry} path={path} onClick={onClick} />);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t('shell.skip')}
      </a>
      <TopBar session={session} />
      <nav className="side" aria-label={t('shell.navigation')}>
        {links(entries)}
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Connection />
        <ErrorBoundary resetKey={path}>
          <Suspense fallback={<Loading />}>
            <Switch>
              {PAGES.filter((page) => !page.needs || may(page.needs)).map((page) => (
                <Route key={page.path} path={page.path} component={page.component} />
              ))}
              <Route component={NotFoundPage} />
            </Switch>
          </Suspense>
        </ErrorBoundary>
      </main>
      <nav className="bottom" aria-label={t('shell.navigation')}>
        {links(entries.slice(0, BOTTOM_ENTRIES))}
        <button type="button" className="nav-link" aria-haspopup="dialog" onClick={() => setDrawer(true)}>
          <Icon name="more" />
          <span>{t('shell.more')}</span>
        </button>
      </nav>
      {drawer ? (
        <Dialog title={t('shell.navigation')} onClose={() => setDrawer(false)}>
          <div className="drawer">
            {links(entries, () => setDrawer(false))}
            <Preferences />
          </div>
        </Dialog>
      ) : null}
    </div>
  );
}

function NavLink({
  entry,
  path,
  onClick,
}: {
  entry: NavEntry;
  path: string;
  onClick: (() => void) | undefined;
}) {
  const { t } = useT();
  const page = PAGES.find((one) => one.path === path);
  const current = entry.path === path || page?.under === entry.path;
  return (
    <Link
      href={entry.path}
      className="nav-link"
      aria-current={current ? 'page' : undefined}
      onClick={onClick}
    >
      <Icon name={entry.nav.icon} />
      <span>{t(entry.nav.label)}</span>
    </Link>
  );
}

/** Says when live values stand still because the node can't be reached. */
function Connection() {
  const { t } = useT();
  const lost = useStreamState() === 'lost';
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (!lost) {
      setShown(false);
      return;
    }
    const timer = setTimeout(() => setShown(true), LOST_AFTER_MS);
    return () => clearTimeout(timer);
  }, [lost]);
  return (
    <div role="status" aria-live="polite">
      {shown ? (
        <p className="banner">
          <Icon name="warning" />
          {t('shell.lost')}
        </p>
      ) : null}
    </div>
  );
}

/** `/` goes to the page's search, or to the one in the top bar. */
function useSearchKey(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.closest('input, textarea, select, dialog, [contenteditable]')) return;
      const fields = [...document.querySelectorAll<HTMLInputElement>('main [data-search], [data-search]')];
      const inMain = fields.find((field) => field.closest('main') && field.offsetParent !== null);
      const field = inMain ?? fields.find((one) => one.offsetParent !== null);
      if (!field) return;
      event.preventDefault();
      field.focus();
      field.select();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
}

/** A new page starts at its top, and is read out from there. */
function useFocusOnMove(main: React.RefObject<HTMLElement | null>, path: string): void {
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [main, path]);
}
