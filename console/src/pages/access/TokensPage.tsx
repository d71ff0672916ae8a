import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { post, remove, withId } from '../../api/client';
import { usePages } from '../../api/queries';
import { useMay, useSession } from '../../api/session';
import type { NewToken, Token } from '../../api/types';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { Copyable } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';
import { useDraft } from '../../ui/draft';
import { CheckField, SelectField, TextField } from '../../ui/Field';
import { More } from '../../ui/More';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { fieldError, ProblemPanel } from '../../ui/Problem';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import './access.css';

/** How long tokens may be valid, in days. */
const LIFETIMES_D = [7, 30, 90, 365] as const;
const DAY_MS = 86_400_000;

export default function TokensPage() {
  const { t } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [open, setOpen] = useState<'new' | { revoke: Token } | { made: NewToken } | null>(null);
  const tokens = usePages<Token>('/tokens', {});
  const items = tokens.data?.pages.flatMap((page) => page.items) ?? [];
  const refresh = () => queries.invalidateQueries({ queryKey: ['tokens'] });
  return (
    <>
      <PageHead
        title={t('nav.tokens')}
        note={t('tokens.about')}
        actions={
          may('token:write') ? (
            <Button kind="primary" icon="plus" label={t('tokens.new')} onClick={() => setOpen('new')} />
          ) : null
        }
      />
      {tokens.error ? <ProblemPanel error={tokens.error} retry={() => void tokens.refetch()} /> : null}
      {tokens.isPending ? <Loading /> : null}
      {tokens.data && items.length === 0 ? <Empty icon="key" title={t('tokens.none')} /> : null}
      {items.length > 0 ? (
        <TableBox label={t('nav.tokens')}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('tokens.name')}</th>
                <th scope="col">{t('tokens.scopes')}</th>
                <th scope="col">{t('tokens.user')}</th>
                <th scope="col">{t('tokens.expires')}</th>
                <th scope="col">{t('tokens.lastUsed')}</th>
                <th scope="col">
                  <span className="sr-only">{t('state.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((token) => (
                <tr key={token.id}>
                  <th scope="row" className="name-cell">
                    {token.name}
                    <small>{token.id}</small>
                  </th>
                  <td className="scopes-cell">
                    {token.actions.map((scope) => (
                      <code key={scope} className="chip">
                        {scope}
                      </code>
                    ))}
                  </td>
                  <td>{token.user}</td>
                  <td className={Date.parse(token.expires) < Date.now() ? 'tone-bad' : ''}>
                    {formatTime(token.expires)}
                  </td>
                  <td className="muted">
                    {token.last_used ? formatTime(token.last_used) : t('tokens.unused')}
                  </td>
                  <td className="action-cell">
                    {may('token:write') ? (
                      <Button
                        kind="quiet"
                        icon="trash"
                        label={t('tokens.revoke')}
                        onClick={() => setOpen({ revoke: token })}
                      />
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      <More of={tokens} />
      {open === 'new' ? (
        <TokenDialog
          onClose={() => setOpen(null)}
          onMade={(made) => {
            setOpen({ made });
            void refresh();
          }}
        />
      ) : null}
      {typeof open === 'object' && open && 'made' in open ? (
        <Dialog
          title={t('tokens.made')}
          onClose={() => setOpen(null)}
          actions={<Button kind="primary" label={t('tokens.noted')} onClick={() => setOpen(null)} />}
        >
          <p>{t('tokens.madeText')}</p>
          <p className="secret">
            <Copyable text={open.made.token} />
          </p>
        </Dialog>
      ) : null}
      {typeof open === 'object' && open && 'revoke' in open ? (
        <ConfirmDialog
          title={t('tokens.revokeTitle', { name: open.revoke.name })}
          text={t('tokens.revokeText')}
          action={t('tokens.revoke')}
          danger
          onConfirm={async () => {
            await remove(withId('/tokens', open.revoke.id));
            await refresh();
            say(t('tokens.revoked', { name: open.revoke.name }));
          }}
          onClose={() => setOpen(null)}
        />
      ) : null}
    </>
  );
}

function TokenDialog({ onClose, onMade }: { onClose: () => void; onMade: (token: NewToken) => void }) {
  const { t } = useT();
  const { state } = useSession();
  // A token can do no more than whoever makes it.
  const grantable =
    state.kind === 'signed-in' ? state.session.permissions.filter((action) => action !== 'session:own') : [];
  const draft = useDraft('token.new', {
    name: '',
    scopes: ['tag:read', 'sample:read'].filter((scope) => grantable.includes(scope)),
    days: '90',
  });
  const { value } = draft;
  const set = (part: Partial<typeof value>) => draft.change((now) => ({ ...now, ...part }));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const expires = new Date(Date.now() + Number(value.days) * DAY_MS).toISOString();
      const made = await post<NewToken>('/tokens', {
        name: value.name.trim(),
        scopes: value.scopes,
        expires,
      });
      draft.forget();
      onMade(made);
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('tokens.new')} onClose={onClose}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        {error ? <ProblemPanel error={error} placed={(field) => field === '/name'} /> : null}
        <TextField
          label={t('tokens.name')}
          hint={t('tokens.nameHint')}
          required
          value={value.name}
          onChange={(name) => set({ name })}
          error={fieldError(error, '/name')}
        />
        <SelectField label={t('tokens.lifetime')} value={value.days} onChange={(days) => set({ days })}>
          {LIFETIMES_D.map((days) => (
            <option key={days} value={days}>
              {t('tokens.days', { count: days })}
            </option>
          ))}
        </SelectField>
        <fieldset className="checks">
          <legend>{t('tokens.scopes')}</legend>
          {grantable.map((action) => (
            <CheckField
              key={action}
              label={action}
              checked={value.scopes.includes(action)}
              onChange={(on) =>
                set({ scopes: on ? [...value.scopes, action] : value.scopes.filter((one) => one !== action) })
              }
            />
          ))}
        </fieldset>
        <div className="form-foot">
          <Button
            label={t('action.cancel')}
            onClick={() => {
              draft.forget();
              onClose();
            }}
          />
          <Button
            kind="primary"
            type="submit"
            label={t('tokens.create')}
            busy={busy}
            disabled={value.scopes.length === 0}
          />
        </div>
      </form>
    </Dialog>
  );
}
