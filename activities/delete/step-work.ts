import type { Attempt } from '../../isolation/attempts/attempt.ts';
import type { DeletionStep } from '../../isolation/deletes/deletion-steps.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import type { ActivityContext } from '../activity-context.ts';
import type { ControlCheck } from '../control/control-check.ts';

/** From this round on a resource that has got new referrers is skipped, so that a delete ends whatever other batches write. */
export const LAST_ROUND = 20;

/** One attempt to delete the resources of a step. */
export interface StepWork {
  readonly context: ActivityContext;
  readonly attempt: Attempt;
  readonly control: ControlCheck;
  /** Time limit of the activity, in ms. */
  readonly timeoutMs: number;
  readonly batch: BatchDocument;
  readonly step: DeletionStep;
  /** The group with which this attempt marks resources, and which it commits. */
  readonly group: string;
  /** There is no further round for resources that this one leaves. */
  readonly isLast: boolean;
}
