import { DroverError } from '@drover/client';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { useMemo, useSyncExternalStore } from 'react';
import { Pages } from '../shell/pages.tsx';
import { Failed, Loading } from '../ui/states.tsx';
import { clientFor, readSession, SignedInContext } from './drover-context.ts';
import { credentials, onCredentials } from './session-store.ts';
import { SignIn } from './sign-in.tsx';

const isRefused = (error: unknown): boolean => error instanceof DroverError && error.status === 401;

/** Whether the same request may succeed a moment later. */
const isPassing = (error: unknown): boolean =>
  error instanceof DroverError && (error.status === null || error.status >= 500 || error.status === 429);

const MAX_RETRIES = 2;

/** Everything, for the one who is signed in; another token or tenant begins with nothing of the one before. */
export function SignedIn() {
  const who = useSyncExternalStore(onCredentials, credentials);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each token and tenant has a cache of its own
  const client = useMemo(() => {
    const onError = (error: unknown): void => {
      // an expired token is noticed by whatever request is sent first
      if (isRefused(error)) void created.invalidateQueries({ queryKey: ['session'] });
    };
    const created: QueryClient = new QueryClient({
      queryCache: new QueryCache({
        onError: (error, query) => (query.queryKey[0] === 'session' ? undefined : onError(error)),
      }),
      mutationCache: new MutationCache({ onError }),
      defaultOptions: { queries: { retry: (failures, error) => failures < MAX_RETRIES && isPassing(error) } },
    });
    return created;
  }, [who]);
  return (
    <QueryClientProvider client={client} key={`${who.token} ${who.tenant}`}>
      <Gate />
    </QueryClientProvider>
  );
}

/** How often a session is confirmed, in ms, so that a page left open notices that its token has expired. */
const CONFIRM_EVERY_MS = 60_000;

function Gate() {
  const who = useSyncExternalStore(onCredentials, credentials);
  const drover = useMemo(() => clientFor(who), [who]);
  const session = useQuery({
    queryKey: ['session'],
    queryFn: () => readSession(drover),
    refetchInterval: CONFIRM_EVERY_MS,
  });
  const signedIn = useMemo(() => session.data && { drover, session: session.data }, [drover, session.data]);
  if (isRefused(session.error)) return <SignIn isExpired={who.token !== null} />;
  if (signedIn)
    return (
      <SignedInContext value={signedIn}>
        <Pages />
      </SignedInContext>
    );
  if (session.error) return <Failed error={session.error} retry={() => void session.refetch()} />;
  return <Loading />;
}
