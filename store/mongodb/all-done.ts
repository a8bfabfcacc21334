import { kindOfFailure } from './errors.ts';

/**
 * Waits until all work has ended, also if some of it fails: then only a command without an answer may still be under way.
 * @throws the failure that is an outage, if there is one, because it says that a command may be under way; otherwise the first failure.
 */
export async function allDone<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ -readonly [At in keyof T]: Awaited<T[At]> }> {
  const failures = (await Promise.allSettled(work)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  const outage = failures.find((reason) => kindOfFailure(reason) === 'outage');
  if (outage !== undefined) throw outage;
  return Promise.all(work);
}
