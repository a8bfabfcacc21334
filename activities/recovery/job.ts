import type { Recovered, RecoveryPlaces } from '../../workflows/messages.ts';
import type { ActivityContext } from '../activity-context.ts';

/** What a slice of a job works with. */
export interface Slice {
  readonly context: ActivityContext;
  /** Moment after which nothing new is begun, in ms since 1970. */
  readonly until: number;
  /** Aborted when the activity is given up or its worker stops: nothing new is begun then either. */
  readonly signal: AbortSignal;
  /** Whether what is due later is done as well: a pass that was asked for. */
  readonly isAtOnce: boolean;
  /** Places that survive this worker: where jobs that read everything from end to end go on. */
  readonly places: Map<string, string>;
}

export interface SliceResult {
  /** What was done, by kind. */
  readonly recovered: Partial<Recovered>;
  /** Whether there is more to do now. */
  readonly hasMore: boolean;
}

/**
 * One kind of recovery. A slice of it takes seconds and a bounded number of documents; it is repeated at once while there is
 * more, else after `everyMs`. Everything that a job does is safe to repeat and to do twice at once: a slice whose activity was
 * given up may still be at its last step while the next one begins.
 */
export interface RecoveryJob {
  readonly name: string;
  readonly everyMs: number;
  /** Wait between two slices while there is more, in ms: what the server is spared. Default 0. */
  readonly paceMs?: number;
  run(slice: Slice): Promise<SliceResult>;
}

export const NOTHING_DONE: SliceResult = { recovered: {}, hasMore: false };

export const isOver = ({ until, signal }: Pick<Slice, 'until' | 'signal'>): boolean =>
  signal.aborted || Date.now() >= until;

export const toPlaces = (places: ReadonlyMap<string, string>): RecoveryPlaces => Object.fromEntries(places);
