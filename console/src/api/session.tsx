// Who is signed in, and what that principal may do.
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { ApiError, get, onSignedOut, post, remove, setCsrf } from './client';
import type { Session } from './types';

export type SessionState =
  | { kind: 'asking' }
  | { kind: 'failed'; error: unknown }
  | { kind: 'anonymous'; ended: boolean }
  | { kind: 'signed-in'; session: Session };

interface SessionContext {
  state: SessionState;
  ask: () => Promise<void>;
  signIn: (user: string, password: string) => Promise<void>;
  signOut: () => Promise<void>;
}

const Context = createContext<SessionContext | null>(null);

export function SessionProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<SessionState>({ kind: 'asking' });
  const queries = useQueryClient();

  const accept = useCallback((session: Session) => {
    setCsrf(session.csrf ?? '');
    setState({ kind: 'signed-in', session });
  }, []);

  const ask = useCallback(async () => {
    try {
      accept(await get<Session>('/session'));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        // Several answers of 401 may arrive; the first of them ended the session.
        setState((now) =>
          now.kind === 'anonymous' ? now : { kind: 'anonymous', ended: now.kind === 'signed-in' },
        );
      } else {
        // A node that does not answer for a moment does not end a session.
        setState((now) => (now.kind === 'signed-in' ? now : { kind: 'failed', error }));
      }
    }
  }, [accept]);

  useEffect(() => {
    onSignedOut(() => void ask());
    void ask();
  }, [ask]);

  const signIn = useCallback(
    async (user: string, password: string) => {
      const session = await post<Session>('/session', { user, password });
      queries.clear();
      accept(session);
    },
    [accept, queries],
  );

  const signOut = useCallback(async () => {
    await remove('/session');
    setCsrf('');
    queries.clear();
    setState({ kind: 'anonymous', ended: false });
  }, [queries]);

  const context = useMemo(() => ({ state, ask, signIn, signOut }), [state, ask, signIn, signOut]);
  return <Context value={context}>{children}</Context>;
}

export function useSession(): SessionContext {
  const context = useContext(Context);
  if (!context) throw new Error('useSession outside SessionProvider');
  return context;
}

/** Whether the principal may do `action`, such as `device:write`. */
export function useMay(): (action: string) => boolean {
  const { state } = useSession();
  const permissions = state.kind === 'signed-in' ? state.session.permissions : undefined;
  return useCallback((action) => permissions?.includes(action) ?? false, [permissions]);
}
