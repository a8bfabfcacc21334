import type { Recovered, RecoveryPlaces } from '../../workflows/messages.ts';
import type { ActivityContext } from '../activity-context.ts';

/** The parameters of a portion of a job. */
export interface Portion {
  readonly context: ActivityContext;
  /** Time after which no new work begins, in ms since 1970. */
  readonly until: number;
  /** Aborted when the activity is timed out or its worker stops: then no new work begins either. */
  readonly signal: AbortSignal;
  /** Whether work that is due later is done as well: in a pass that an operator has requested. */
  readonly isAtOnce: boolean;
  /** Positions that survive this worker: where jobs continue that read everything from end to end. */
  readonly places: Map<string, string>;
}

export interface PortionResult {
  /** The finished work, by kind. */
  readonly recovered: Partial<Recovered>;
  /** Whether there is more to do now. */
  readonly hasMore: boolean;
}

/**
 * One kind of recovery. A portion of it takes seconds and a bounded number of documents; it is repeated at once while there is
 * more, else after `everyMs`. Everything that a job does is safe to repeat and to run twice at once: a portion whose activity was
 * timed out may still be at its last step while the next one begins.
 */
export interface RecoveryJob {
  readonly name: string;
  readonly everyMs: number;
  /** Pause between two portions while there is more, in ms, to spare the server. Default 0. */
  readonly paceMs?: number;
  run(portion: Portion): Promise<PortionResult>;
}

export const NOTHING_DONE: PortionResult = { recovered: {}, hasMore: false };

export const isOver = ({ until, signal }: Pick<Portion, 'until' | 'signal'>): boolean =>
  signal.aborted || Date.now() >= until;

export const toPlaces = (places: ReadonlyMap<string, string>): RecoveryPlaces => Object.fromEntries(places);
