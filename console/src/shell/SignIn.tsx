import { useState, type FormEvent } from 'react';
import { ApiError } from '../api/client';
import { useSession } from '../api/session';
import { useT } from '../i18n/i18n';
import { Button } from '../ui/Button';
import { useDraft } from '../ui/draft';
import { TextField } from '../ui/Field';
import { ProblemPanel } from '../ui/Problem';
import { Preferences, Wave } from './TopBar';

export default function SignIn({ ended }: { ended: boolean }) {
  const { t } = useT();
  const { signIn } = useSession();
  const user = useDraft('sign-in.user', '');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(user.value.trim(), password);
      user.forget();
    } catch (failure) {
      setError(failure);
      setPassword('');
      setBusy(false);
    }
  };
  const wrong = error instanceof ApiError && error.status === 401;
  return (
    <main className="sign-in">
      <title>{`${t('signIn.title')} · Weir`}</title>
      <form className="card" onSubmit={(event) => void submit(event)}>
        <h1>
          <Wave />
          Weir
        </h1>
        <p className="muted">{t('signIn.about')}</p>
        {ended && !error ? <p className="banner">{t('signIn.ended')}</p> : null}
        {wrong ? (
          <p className="banner banner-bad" role="alert">
            {t('signIn.wrong')}
          </p>
        ) : error ? (
          <ProblemPanel error={error} />
        ) : null}
        <TextField
          label={t('signIn.user')}
          hint={t('signIn.userHint')}
          name="user"
          autoComplete="username"
          autoCapitalize="none"
          required
          autoFocus
          value={user.value}
          onChange={user.change}
        />
        <TextField
          label={t('signIn.password')}
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={setPassword}
        />
        <Button kind="primary" type="submit" label={t('signIn.submit')} busy={busy} />
      </form>
      <Preferences />
    </main>
  );
}
