import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { ApiError } from './api/client';
import { SessionProvider, useSession } from './api/session';
import { LiveProvider } from './live/live';
import { ErrorBoundary } from './shell/ErrorBoundary';
import { Shell } from './shell/Shell';
import { Loading } from './ui/Page';
import { ProblemPanel } from './ui/Problem';
import { ToastProvider } from './ui/Toast';

/** Attempts after the first, for failures that may pass by themselves. */
const RETRIES_MAX = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (failures, error) =>
        failures < RETRIES_MAX && error instanceof ApiError && (error.status === 0 || error.status === 503),
    },
  },
});

const SignIn = lazy(() => import('./shell/SignIn'));

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <ToastProvider>
        <ErrorBoundary>
          <SessionProvider>
            <Door />
          </SessionProvider>
        </ErrorBoundary>
      </ToastProvider>
    </QueryClientProvider>
  );
}

/** Signing in keeps the address, so a link sent to a colleague opens what was meant. */
function Door() {
  const { state, ask } = useSession();
  switch (state.kind) {
    case 'asking':
      return <Loading />;
    case 'failed':
      return (
        <main className="alone">
          <ProblemPanel error={state.error} retry={() => void ask()} />
        </main>
      );
    case 'anonymous':
      return (
        <Suspense fallback={<Loading />}>
          <SignIn ended={state.ended} />
        </Suspense>
      );
    case 'signed-in':
      return (
        <LiveProvider>
          <Shell session={state.session} />
        </LiveProvider>
      );
  }
}
