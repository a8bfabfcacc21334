import { AsyncLocalStorage } from 'node:async_hooks';
import { inCausalOrder } from './causal-order.ts';

/** The attempt of an activity that commands are sent for. */
export interface AttemptOfCommands {
  /** Names the activity, the same for all of its attempts. */
  readonly activity: string;
  /** When Temporal scheduled it, in ms by its clock: of two attempts of an activity the later one has more. */
  readonly since: number;
  /**
   * Longest time that a command which begins now may take, in ms, the way to the server included.
   * @throws where none may begin any more.
   */
  commandTimeMs(): number;
  /** The same for all that is read with one cursor: what the attempt has left. */
  cursorTimeMs(): number;
  /**
   * What time it is, for a deadline that is the workflow's: the clock of this process says, unless it is behind Temporal's, so that
   * nothing expires early.
   */
  now(): Date;
}

const current = new AsyncLocalStorage<AttemptOfCommands>();

/**
 * Runs work all of whose commands are those of an attempt: each ends with the attempt's time at the latest, and each read sees what
 * the attempt has written.
 */
export function asAttempt<T>(attempt: AttemptOfCommands, work: () => Promise<T>): Promise<T> {
  return current.run(attempt, () => inCausalOrder(work));
}

/** Whose commands are being sent; undefined outside of activities. */
export const currentAttempt = (): AttemptOfCommands | undefined => current.getStore();
