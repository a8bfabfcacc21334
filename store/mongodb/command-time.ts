import { AsyncLocalStorage } from 'node:async_hooks';
import { inCausalOrder } from './causal-order.ts';

/** The attempt of an activity for which commands are sent. */
export interface AttemptOfCommands {
  /** Names the activity, the same for all of its attempts. */
  readonly activity: string;
  /** When Temporal scheduled it, in ms by its clock: of two attempts of an activity the later one has more. */
  readonly since: number;
  /**
   * Longest time of a command that begins now, in ms, including the way to the server.
   * @throws if none may begin any more.
   */
  commandTimeMs(): number;
  /** The same for everything that is read with one cursor: the rest of the attempt's time. */
  cursorTimeMs(): number;
  /** How many commands it has begun: an attempt that begins none makes no progress. */
  begun(): number;
  /**
   * The present time, for comparison with a deadline of the workflow: by the clock of this process, unless it is behind Temporal's, so that
   * nothing expires too early.
   */
  now(): Date;
}

const current = new AsyncLocalStorage<AttemptOfCommands>();

/**
 * Runs work whose commands belong to an attempt: each ends at the latest with the attempt's time, and each read sees the writes of
 * the attempt.
 */
export function asAttempt<T>(attempt: AttemptOfCommands, work: () => Promise<T>): Promise<T> {
  return current.run(attempt, () => inCausalOrder(work));
}

/** The attempt for which commands are being sent; undefined outside of activities. */
export const currentAttempt = (): AttemptOfCommands | undefined => current.getStore();
