import { useState, type FormEvent } from 'react';
import { ApiError, post } from '../../api/client';
import { useSession } from '../../api/session';
import { displayName } from '../../format/name';
import { roleLabel } from '../../format/role';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Preferences } from '../../shell/TopBar';
import { Button } from '../../ui/Button';
import { Copyable } from '../../ui/Copy';
import { TextField } from '../../ui/Field';
import { Facts, PageHead } from '../../ui/Page';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { useToast } from '../../ui/Toast';

export default function AccountPage() {
  const { t, language } = useT();
  const { state, ask } = useSession();
  const say = useToast();
  const [current, setCurrent] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  if (state.kind !== 'signed-in') return null;
  const { session } = state;
  const differs = again !== '' && again !== fresh;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (fresh !== again) return;
    setBusy(true);
    setError(undefined);
    try {
      await post('/session/password', { current, new: fresh });
      setCurrent('');
      setFresh('');
      setAgain('');
      say(t('account.changed'));
      // The node may have renewed or ended the session.
      await ask();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const wrong = error instanceof ApiError && (error.status === 401 || error.code === 'forbidden');
  return (
    <>
      <PageHead title={t('shell.account')} />
      <div className="account-grid">
        <section className="card" aria-label={t('account.you')}>
          <h2>{session.name}</h2>
          <Facts
            items={[
              [t('field.identifier'), <Copyable key="id" text={session.principal} />],
              [t('account.organisation'), session.tenant ? displayName(session.tenant, language) : null],
              [t('users.roles'), session.roles.map((role) => roleLabel(role, t)).join(', ')],
              [t('users.ceiling'), t(`grade.${session.ceiling}`)],
              [t('account.until'), session.expires ? formatTime(session.expires) : null],
            ]}
          />
          <Preferences />
        </section>
        <section className="card" aria-label={t('account.password')}>
          <h2>{t('account.password')}</h2>
          <form className="form" onSubmit={(event) => void submit(event)}>
            {error && !wrong ? <ProblemPanel error={error} placed={(field) => field === '/new'} /> : null}
            <TextField
              label={t('account.current')}
              type="password"
              autoComplete="current-password"
              required
              value={current}
              onChange={setCurrent}
              error={wrong ? t('account.wrong') : undefined}
            />
            <TextField
              label={t('users.newPassword')}
              type="password"
              autoComplete="new-password"
              required
              value={fresh}
              onChange={setFresh}
              error={fieldError(error, '/new')}
            />
            <TextField
              label={t('account.again')}
              type="password"
              autoComplete="new-password"
              required
              value={again}
              onChange={setAgain}
              error={differs ? t('account.differs') : undefined}
            />
            <div className="form-foot">
              <Button kind="primary" type="submit" label={t('account.change')} busy={busy} />
            </div>
          </form>
        </section>
      </div>
    </>
  );
}
