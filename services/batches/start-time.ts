import { type BatchStatus, isTerminal } from '../../domain/batch/batch.ts';

/** What of a batch or import says whether it waits for its start time. */
interface Startable {
  readonly run: number;
  readonly status: BatchStatus;
  readonly startAt?: Date;
  readonly cancelRequested?: boolean;
}

/** Whether its first run is still to wait for its time. A retry is a request of now, and what is cancelled has nothing to wait for. */
export function startsLater<S extends Startable>(one: S): one is S & { readonly startAt: Date } {
  return isBeforeStart(one) && one.cancelRequested !== true;
}

/** Whether the time of its first run has not come. Until then Temporal hands no signal to its workflow (1.29), or wakes it by one (later versions). */
export const isBeforeStart = ({ run, status, startAt }: Startable): boolean =>
  run === 1 && !isTerminal(status) && (startAt?.getTime() ?? 0) > Date.now();

/** Temporal begins the execution then. Its workflow looks at the time itself: a signal may wake it before. */
export const startDelay = (startAt: number): { readonly startDelay: number } => ({
  startDelay: Math.max(0, startAt - Date.now()),
});

/** In place of an execution that waits for its start time. If it has begun at this moment, that is as if it were lost: a batch and an import go on in the next one. */
export const IN_PLACE = {
  workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  workflowIdConflictPolicy: 'TERMINATE_EXISTING',
} as const;
