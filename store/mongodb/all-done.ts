import { kindOfFailure } from './errors.ts';

/**
 * Waits until all work has ended, whatever becomes of one: no command is under way any more that was answered.
 * @throws as one that failed, by an outage if there is one: of a command of that nobody knows whether it is over.
 */
export async function allDone<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ -readonly [At in keyof T]: Awaited<T[At]> }> {
  const failures = (await Promise.allSettled(work)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  const outage = failures.find((reason) => kindOfFailure(reason) === 'outage');
  if (outage !== undefined) throw outage;
  return Promise.all(work);
}
