import { bodyOf, type components, createDrover, type DroverClient } from '@drover/client';
import { createContext, useContext } from 'react';
import type { Credentials } from './session-store.ts';

export type Session = components['schemas']['Session'];

interface SignedIn {
  readonly drover: DroverClient;
  readonly session: Session;
}

/** The client of the one who is signed in, and who that is; null outside of the signed-in part. */
export const SignedInContext = createContext<SignedIn | null>(null);

function useSignedIn(): SignedIn {
  const signedIn = useContext(SignedInContext);
  if (signedIn === null) throw new Error('this part of the page is for those who are signed in');
  return signedIn;
}

export const useDrover = (): DroverClient => useSignedIn().drover;
export const useSession = (): Session => useSignedIn().session;

/** Shorter than the client's own: a person looks on, and is told that the service does not answer. */
const RETRY = { attempts: 2, maxDelayMs: 2_000 };

/** A client of the service that has sent this page. */
export const clientFor = ({ token, tenant }: Credentials): DroverClient =>
  createDrover({
    url: new URL('.', location.href.replace(/[?#].*$/s, '')).href.replace(/\/$/, ''),
    retry: RETRY,
    ...(token !== null && { token }),
    ...(tenant !== null && { tenant }),
  });

export const readSession = async (drover: DroverClient): Promise<Session> =>
  (await bodyOf(drover.http.GET('/api/session'))).data;
