import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BatchResult, BatchSummary, Operation, RunningState } from '../domain/batch/batch.ts';
import type { Stage } from '../domain/batch/plan-chunks.ts';
import type { Tally } from '../domain/batch/tally.ts';

/**
 * The public contract of a batch workflow: ids, signals, queries and their types (docs/signals-and-queries.md). Programs that signal
 * and query by workflow id rely on what is here.
 */

/** Workflow type of every batch. */
export const BATCH_WORKFLOW_TYPE = 'batchWorkflow';
/** Workflow type of recovery. */
export const RECOVERY_WORKFLOW_TYPE = 'recoveryWorkflow';
/** Id of the recovery workflow of a task queue: `drover-recovery`. */
export const recoveryWorkflowId = (taskQueue: string): string => `${taskQueue}-recovery`;

/** Workflow type, and id of the schedule, that earlier versions recovered by: `drover-sweep`. */
export const SWEEP_WORKFLOW_TYPE = 'sweepWorkflow';
export const sweepScheduleId = (taskQueue: string): string => `${taskQueue}-sweep`;

/**
 * Task queue of the activities that wait for executions to end, each for a grace: apart from the others, whose places on a worker
 * they would hold all that time.
 */
export const terminationTaskQueue = (taskQueue: string): string => `${taskQueue}-terminations`;

/** Workflow id of a batch. */
export const batchWorkflowId = (batchId: string): string => `batch-${batchId}`;

export { SEARCH_ATTRIBUTES } from '../domain/batch/search-attributes.ts';

/** An identity that has appeared. */
export interface AvailableDependency {
  readonly schemaDefinitionId: string;
  readonly externalId: string;
}

/** Missing resources may have appeared: a hint, never a proof. The batch checks again; an unknown identity does no harm. */
export const dependenciesAvailableSignal = defineSignal<[AvailableDependency[]]>('dependenciesAvailable');
/**
 * The request of a caller of the API that a signal tells of: it is stored already. Programs leave it out: what they ask for is
 * stored by the workflow.
 */
type StoredRequest = [asked?: string];

/** Starts nothing new until resumed; deadlines of pending items run on. */
export const suspendSignal = defineSignal<StoredRequest>('suspend');
export const resumeSignal = defineSignal<StoredRequest>('resume');
/** What was applied stays, what has begun finishes, everything else becomes `cancelled`. */
export const cancelSignal = defineSignal<StoredRequest>('cancel');

export const statusQuery = defineQuery<BatchSummary>('status');

/** One pending item: its index in the batch and its absolute deadline, ISO 8601. */
export interface PendingItem {
  readonly index: number;
  readonly expiresAt: string;
}
export const pendingItemsQuery = defineQuery<PendingItem[]>('pendingItems');

/** Input of a batch workflow: names and numbers, never a body (invariant 7). */
export interface BatchInput {
  readonly batchId: string;
  readonly operation: Operation;
  /** Whose batch it is: `platform/tenant`, escaped; the key of fair dispatch. */
  readonly scope: string;
  readonly schemaName: string;
  readonly total: number;
  /** 1, and one more for each retry. */
  readonly run: number;
  /** What an activity on some items is given, from start to close. */
  readonly activityTimeoutSeconds: number;
  /** What was asked of the batch before its workflow was started. */
  readonly suspended?: true;
  readonly cancelled?: true;
  /** The latest request of a caller that is stored, whatever it was. */
  readonly asked?: string;
  /** State carried over by continue-as-new. */
  readonly carried?: CarriedState;
}

/** What recovery has done, by kind. */
export const RECOVERED = ['started', 'inserted', 'delivered', 'finished', 'purged', 'removed'] as const;
export type Recovered = Record<(typeof RECOVERED)[number], number>;

/** Where recovery goes on in what it reads through from end to end, by job. */
export type RecoveryPlaces = Readonly<Record<string, string>>;

/** Input of the recovery workflow. */
export interface RecoveryInput {
  /** One pass over everything, at once; then the workflow ends. Otherwise it goes on for as long as it is let. */
  readonly once?: boolean;
  /** State carried over by continue-as-new. */
  readonly places?: RecoveryPlaces;
  readonly total?: Recovered;
}

/** What a workflow is given in place of a payload that its worker could not read, and why. */
export interface Unreadable {
  readonly unreadable: string;
}

export const unreadable = (why: string): Unreadable => ({ unreadable: why });

/** @throws an error that fails the workflow task, which is tried again until a worker can read the input. */
export function assertReadable(input: BatchInput | Unreadable): asserts input is BatchInput {
  if ('unreadable' in input) throw new Error(`the input cannot be read: ${input.unreadable}`);
}

/** What is carried of a batch, beside its plan. */
export interface CarriedBatch {
  readonly summary: BatchSummary;
  readonly pending: readonly PendingGroup[];
  readonly cancelled: boolean;
  readonly asked?: string;
}

/** What is carried of a plan. */
export interface CarriedPlan {
  /**
   * Where planning goes on; absent when all is planned. Where something is `left`: where the part was planned from. A worker of a
   * version that does not know `left` plans it anew: what is done is found done, the rest is applied.
   */
  readonly cursor?: number;
  /** What is planned and left to do, stage after stage, and where planning goes on then. */
  readonly left?: {
    readonly stages: readonly (readonly Work[])[];
    readonly next?: number;
    /** See `Plan.links`. */
    readonly links?: string;
  };
  /** What is left is to be planned again from `cursor` on: what is terminal, or pending, is counted. */
  readonly isAgain?: true;
  /** Written by the version before this one: what is left; then `cursor` is where planning goes on. */
  readonly stages?: readonly (readonly Work[])[];
}

export type CarriedState = CarriedBatch & CarriedPlan;

/** Pending items with one deadline, in ms since 1970. */
export interface PendingGroup {
  readonly expiresAt: number;
  readonly indexes: readonly number[];
}

/** What a workflow lets its activities do. */
export interface Controlled {
  readonly batchId: string;
  readonly run: number;
  /**
   * The workflow keeps what an activity leaves undone because the batch is suspended or cancelled. Workflows that were started by
   * an earlier version do not.
   */
  readonly keepsLeft?: true;
}

/** The work of one activity: items by index, or a step of a stored plan, with the number of its items. */
export type Work =
  | { readonly kind: 'items'; readonly indexes: readonly number[] }
  | { readonly kind: 'step'; readonly step: number; readonly items: number };

export interface PlanInput extends Controlled {
  /** 0 for the first plan of a run, then the `next` of the one before. */
  readonly cursor: number;
  /** What is left of writes is planned anew, as their definition has changed: what is terminal, or pending, is counted already. */
  readonly isAgain?: true;
}

export interface Plan {
  /** What is terminal before anything is applied: by an earlier run, or by planning itself. Counts only once-queued items. */
  readonly tally: Tally;
  /** Work of one stage runs side by side, stages one after the other. */
  readonly stages: readonly (readonly Work[])[];
  /** Where to plan on once these stages are done; absent when they are all. */
  readonly next?: number;
  /** Nothing is planned, because the batch is suspended or cancelled: to be planned again. */
  readonly isLeft?: true;
  /** Of writes: by which references among the items it was planned (`linksOf`). One that is changed since needs another plan. */
  readonly links?: string;
}

/** Items of one batch that one activity applies. */
export interface ItemsOfBatch extends Controlled {
  readonly indexes: readonly number[];
  /** By which references among the items of the batch they were planned; absent: by an earlier version, or they were pending. */
  readonly links?: string;
  /** They are pending, and the workflow finds again those that cannot be applied for now: their deadlines do not wait for them. */
  readonly requeuesBlocked?: true;
}

/** What an activity has made of its items: the same however often it is delivered. */
export interface WorkResult {
  readonly tally: Tally;
  /** Those of its items that wait, by deadline. */
  readonly pending: readonly PendingGroup[];
  /** Some that are terminal have waited: the batch may be registered for what they missed. */
  readonly hasWaited?: boolean;
  /** Items that were not begun, because the batch is suspended or cancelled, and are not in the tally. */
  readonly left?: readonly number[];
  /** They are left because the references that they were planned by have changed: what is left of the batch is to be planned again. */
  readonly isOutdated?: true;
}

/** One step of a batch's stored deletion plan. */
export interface StepOfBatch extends Controlled {
  readonly step: number;
}

export interface DeletionResult extends WorkResult {
  /** Resources deleted that no item asked for. */
  readonly cascaded: number;
  /** Nothing is deleted, because the batch is suspended or cancelled: the step is to be run again. */
  readonly isLeft?: true;
}

export interface CheckResult {
  /** Items that do not wait any more: their own batch, or another one in a cycle with them, has finished them. */
  readonly settled: readonly number[];
  readonly result: WorkResult;
  /** Items that can be applied now, what is referred to first. */
  readonly ready: readonly Stage[];
  /** A cycle could not be brought to its end this time: to be checked again, hint or not. */
  readonly lookAgain: boolean;
}

export interface RecordedState extends RunningState {
  readonly batchId: string;
  readonly run: number;
}

export interface FinishInput {
  readonly batchId: string;
  readonly run: number;
  readonly cancelled: boolean;
  /**
   * Resources beyond the ids asked for that the workflow knows this run to have deleted. The stored steps know of those too
   * whose activity has failed, or whose result was lost, after their commit.
   */
  readonly cascaded: number;
  /**
   * What the workflow knows to have come of it: every item has succeeded, and none has ever waited. Then nothing is left to
   * settle, and the stored outcomes say the same.
   */
  readonly succeeded?: BatchResult;
  /** The workflow was ended from outside, and with it activities at any of their steps. */
  readonly abandoned?: true;
}

export interface RecoverInput {
  /** How long to go on, in ms; 0: one pass over everything, at once. */
  readonly forMs: number;
  readonly places?: RecoveryPlaces;
}

export interface RecoverResult extends Recovered {
  readonly places: RecoveryPlaces;
}
