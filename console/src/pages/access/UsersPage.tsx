import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { patch, post, remove, withId } from '../../api/client';
import { usePages } from '../../api/queries';
import { useMay, useSession } from '../../api/session';
import { GRADES, type Grade, type User } from '../../api/types';
import { ROLES, roleLabel } from '../../format/role';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Dialog } from '../../ui/Dialog';
import { useDraft } from '../../ui/draft';
import { CheckField, SelectField, TextField } from '../../ui/Field';
import { More } from '../../ui/More';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { useSearchState } from '../../url/search';
import './access.css';

/** What the node asks for; it has the last word. */
const PASSWORD_LENGTH_MIN = 12;

type Open = { kind: 'new' } | { kind: 'edit'; user: User } | { kind: 'delete'; user: User } | null;

export default function UsersPage() {
  const { t } = useT();
  const may = useMay();
  const { state } = useSession();
  const queries = useQueryClient();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const [open, setOpen] = useState<Open>(null);
  const query = (search.get('q') ?? '').trim().toLowerCase();
  const users = usePages<User>('/users', {});
  const all = users.data?.pages.flatMap((page) => page.items) ?? [];
  const items = query
    ? all.filter((user) =>
        [user.sign_in, user.full_name ?? '', user.id, ...user.roles].some((text) =>
          text.toLowerCase().includes(query),
        ),
      )
    : all;
  const self = state.kind === 'signed-in' ? state.session.principal : '';
  const done = async (message: string) => {
    setOpen(null);
    await queries.invalidateQueries({ queryKey: ['users'] });
    say(message);
  };
  return (
    <>
      <PageHead
        title={t('nav.users')}
        actions={
          may('user:write') ? (
            <Button
              kind="primary"
              icon="plus"
              label={t('users.new')}
              onClick={() => setOpen({ kind: 'new' })}
            />
          ) : null
        }
      />
      <div className="filters">
        <SearchField
          label={t('users.search')}
          value={search.get('q') ?? ''}
          onChange={(q) => setSearch({ q }, true)}
        />
      </div>
      {users.error ? <ProblemPanel error={users.error} retry={() => void users.refetch()} /> : null}
      {users.isPending ? <Loading /> : null}
      {users.data && items.length === 0 ? <Empty icon="access" title={t('users.none')} /> : null}
      {items.length > 0 ? (
        <TableBox label={t('nav.users')}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('users.name')}</th>
                <th scope="col">{t('users.roles')}</th>
                <th scope="col">{t('users.ceiling')}</th>
                <th scope="col">{t('users.status')}</th>
                <th scope="col">
                  <span className="sr-only">{t('state.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((user) => (
                <tr key={user.id}>
                  <th scope="row" className="name-cell">
                    {user.sign_in} {user.full_name ? <span className="muted">{user.full_name}</span> : null}{' '}
                    {user.id === self ? <span className="chip">{t('users.you')}</span> : null}
                    <small>{user.id}</small>
                  </th>
                  <td>{user.roles.map((role) => roleLabel(role, t)).join(', ')}</td>
                  <td>{t(`grade.${user.ceiling}`)}</td>
                  <td className={user.disabled ? 'tone-bad' : ''}>
                    {user.disabled ? t('users.disabled') : t('users.active')}
                  </td>
                  <td className="action-cell">
                    {may('user:write') ? (
                      <>
                        <Button
                          kind="quiet"
                          icon="edit"
                          iconOnly
                          label={t('users.edit', { name: user.name })}
                          onClick={() => setOpen({ kind: 'edit', user })}
                        />
                        <Button
                          kind="quiet"
                          icon="trash"
                          iconOnly
                          label={t('users.delete', { name: user.name })}
                          disabled={user.id === self}
                          onClick={() => setOpen({ kind: 'delete', user })}
                        />
                      </>
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      <More of={users} />
      {open?.kind === 'new' || open?.kind === 'edit' ? (
        <UserDialog
          user={open.kind === 'edit' ? open.user : undefined}
          onClose={() => setOpen(null)}
          onDone={() => void done(t('state.saved'))}
        />
      ) : null}
      {open?.kind === 'delete' ? (
        <ConfirmDialog
          title={t('users.delete', { name: open.user.name })}
          text={t('users.deleteText')}
          action={t('action.delete')}
          danger
          onConfirm={async () => {
            await remove(withId('/users', open.user.id), `"${open.user.version}"`);
            await done(t('users.deleted', { name: open.user.name }));
          }}
          onClose={() => setOpen(null)}
        />
      ) : null}
    </>
  );
}

function UserDialog({
  user,
  onClose,
  onDone,
}: {
  user: User | undefined;
  onClose: () => void;
  onDone: () => void;
}) {
  const { t } = useT();
  // Passwords are never kept, so they are not part of the draft.
  const draft = useDraft(`user.${user?.id ?? 'new'}`, {
    name: user?.name ?? '',
    fullName: user?.full_name ?? '',
    roles: user?.roles ?? ['viewer'],
    ceiling: user?.ceiling ?? ('general' as Grade),
    disabled: user?.disabled ?? false,
  });
  const { value } = draft;
  const set = (part: Partial<typeof value>) => draft.change((now) => ({ ...now, ...part }));
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const roles = [...new Set<string>([...ROLES, ...value.roles])];
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const body = {
      full_name: value.fullName.trim() || null,
      roles: value.roles,
      ceiling: value.ceiling,
      ...(password ? { password } : {}),
    };
    try {
      if (user)
        await patch(withId('/users', user.id), { ...body, disabled: value.disabled }, `"${user.version}"`);
      else await post('/users', { ...body, name: value.name.trim() });
      draft.forget();
      onDone();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={user ? t('users.edit', { name: user.name }) : t('users.new')} onClose={onClose}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        {error ? (
          <ProblemPanel error={error} placed={(field) => field === '/name' || field === '/password'} />
        ) : null}
        {user ? null : (
          <TextField
            label={t('users.name')}
            required
            autoCapitalize="none"
            value={value.name}
            onChange={(name) => set({ name })}
            error={fieldError(error, '/name')}
          />
        )}
        <TextField
          label={t('users.fullName')}
          value={value.fullName}
          onChange={(fullName) => set({ fullName })}
          error={fieldError(error, '/full_name')}
        />
        <TextField
          label={user ? t('users.newPassword') : t('signIn.password')}
          hint={user ? t('users.passwordKeep') : t('users.passwordHint', { count: PASSWORD_LENGTH_MIN })}
          type="password"
          autoComplete="new-password"
          required={!user}
          minLength={PASSWORD_LENGTH_MIN}
          value={password}
          onChange={setPassword}
          error={fieldError(error, '/password')}
        />
        <fieldset className="checks">
          <legend>{t('users.roles')}</legend>
          {roles.map((role) => (
            <CheckField
              key={role}
              label={roleLabel(role, t)}
              checked={value.roles.includes(role)}
              onChange={(on) =>
                set({ roles: on ? [...value.roles, role] : value.roles.filter((one) => one !== role) })
              }
            />
          ))}
        </fieldset>
        <SelectField
          label={t('users.ceiling')}
          hint={t('users.ceilingHint')}
          value={value.ceiling}
          onChange={(ceiling) => set({ ceiling: ceiling as Grade })}
        >
          {GRADES.map((grade) => (
            <option key={grade} value={grade}>
              {t(`grade.${grade}`)}
            </option>
          ))}
        </SelectField>
        {user ? (
          <CheckField
            label={t('users.disable')}
            hint={t('users.disableHint')}
            checked={value.disabled}
            onChange={(disabled) => set({ disabled })}
          />
        ) : null}
        <div className="form-foot">
          <Button
            label={t('action.cancel')}
            onClick={() => {
              draft.forget();
              onClose();
            }}
          />
          <Button kind="primary" type="submit" label={t('action.save')} busy={busy} />
        </div>
      </form>
    </Dialog>
  );
}
