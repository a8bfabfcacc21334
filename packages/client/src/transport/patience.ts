import { DroverError } from '../errors.ts';
import { backoff, pause } from './pause.ts';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 10_000;
/** A service that is restarted, or a proxy in front of one. */
const PASSING: readonly (number | null)[] = [null, 429, 502, 503, 504];

/** How long work of many requests outlasts a service that does not answer, in ms. */
export const DEFAULT_PATIENCE_MS = 300_000;

/** Whether the same request may succeed later: there was no answer, or one that asks for time. */
const isPassing = (error: unknown): error is DroverError =>
  error instanceof DroverError && PASSING.includes(error.status);

/**
 * Repeats a call while the service does not answer, or is busy: by its Retry-After, else after growing delays.
 * @param call safe to repeat: it reads, or is sent under a key. @throws the last failure after `patienceMs` without success.
 */
export async function patiently<T>(
  call: () => Promise<T>,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (let failures = 1; ; failures++) {
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error)) throw error;
      const { retryAfter } = error;
      const delay = retryAfter === null ? backoff(failures, FIRST_DELAY_MS, MAX_DELAY_MS) : retryAfter * 1000;
      if (Date.now() + delay > deadline) throw error;
      await pause(delay, signal);
    }
  }
}
