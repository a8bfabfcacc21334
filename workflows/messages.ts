import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { BatchResult, BatchSummary, Operation, RunningState } from '../domain/batch/batch.ts';
import type { Stage } from '../domain/batch/plan-chunks.ts';
import type { Tally } from '../domain/batch/tally.ts';
import type { ImportOfBatch, ImportReport } from '../domain/imports/import.ts';

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

/** Workflow type, and id of the schedule, of recovery in earlier versions: `drover-sweep`. */
export const SWEEP_WORKFLOW_TYPE = 'sweepWorkflow';
export const sweepScheduleId = (taskQueue: string): string => `${taskQueue}-sweep`;

/**
 * Task queue of the activities that wait for executions to end, each for its grace period: on the common queue they would occupy the places of
 * other activities for all that time.
 */
export const terminationTaskQueue = (taskQueue: string): string => `${taskQueue}-terminations`;

/** Workflow id of a batch. */
export const batchWorkflowId = (batchId: string): string => `batch-${batchId}`;

export { SEARCH_ATTRIBUTES } from '../domain/batch/search-attributes.ts';

/** An identity that has appeared. */
export interface AvailableResource {
  readonly schemaDefinitionId: string;
  readonly externalId: string;
}

/**
 * Missing resources may have appeared (the registered name is older than the word "missing reference"). The batch checks whether they
 * have; an unknown identity does no harm.
 */
export const dependenciesAvailableSignal = defineSignal<[AvailableResource[]]>('dependenciesAvailable');
/**
 * Token of a control request of an API caller that a signal delivers: the request is stored already. Programs leave it out: the workflow
 * stores their requests.
 */
type StoredRequest = [asked?: string];

/** Starts nothing new until resumed; deadlines of pending items continue to run. */
export const suspendSignal = defineSignal<StoredRequest>('suspend');
export const resumeSignal = defineSignal<StoredRequest>('resume');
/** Applied items stay, running work finishes, everything else becomes `cancelled`. */
export const cancelSignal = defineSignal<StoredRequest>('cancel');

export const statusQuery = defineQuery<BatchSummary>('status');

/** One pending item: its index in the batch and its absolute deadline, ISO 8601. */
export interface PendingItem {
  readonly index: number;
  readonly expiresAt: string;
}
export const pendingItemsQuery = defineQuery<PendingItem[]>('pendingItems');

/** What `BatchInput.version` is now. */
export const WORKFLOW_VERSION = 2;

/** Input of a batch workflow: names and numbers, never a body (invariant 7). */
export interface BatchInput {
  /**
   * The latest workflow code that whoever has started the batch knows; absent: 1. The workflow goes by it in place of `patched`, which
   * costs two events each time.
   */
  readonly version?: typeof WORKFLOW_VERSION;
  readonly batchId: string;
  readonly operation: Operation;
  /** Scope of the batch: `platform/tenant`, escaped; the fairness key is derived from it. */
  readonly scope: string;
  readonly schemaName: string;
  readonly total: number;
  /** Items in one page of its bodies and outcomes; absent: an earlier version has started it. */
  readonly pageSize?: number;
  /** 1, and one more for each retry. */
  readonly run: number;
  /** Time limit of an activity that applies items, from start to close. */
  readonly activityTimeoutSeconds: number;
  /** Control requests that were stored before the workflow was started. */
  readonly suspended?: true;
  readonly cancelled?: true;
  /** The latest stored control request of a caller, of any kind. */
  readonly asked?: string;
  /** 1 (urgent) to 5, if its caller has asked for one. */
  readonly priority?: number;
  /** See `fairness`. */
  readonly isForAll?: true;
  /** Nothing of it begins before, in ms since 1970. */
  readonly startAt?: number;
  /** It is a batch of an import. */
  readonly ofImport?: ImportOfBatch;
  /** State carried over by continue-as-new. */
  readonly carried?: CarriedState;
}

/** What recovery has done, by kind. */
export const RECOVERED = ['started', 'inserted', 'delivered', 'finished', 'purged', 'removed'] as const;
export type Recovered = Record<(typeof RECOVERED)[number], number>;

/** Where recovery continues in collections that it reads from end to end, by job. */
export type RecoveryPlaces = Readonly<Record<string, string>>;

/** Input of the recovery workflow. */
export interface RecoveryInput {
  /** One pass over everything, at once; then the workflow ends. Otherwise it continues until it is ended. */
  readonly once?: boolean;
  /** State carried over by continue-as-new. */
  readonly places?: RecoveryPlaces;
  readonly total?: Recovered;
}

/** The replacement for a payload that the worker could not read, with the reason. */
interface Unreadable {
  readonly unreadable: string;
}

export const unreadable = (why: string): Unreadable => ({ unreadable: why });

/** @throws an error that fails the workflow task, which is retried until a worker can read the input. */
export function assertReadable(input: BatchInput | Unreadable): asserts input is BatchInput {
  if ('unreadable' in input) throw new Error(`the input cannot be read: ${input.unreadable}`);
}

/** The state of a batch that continue-as-new carries, without its plan. */
export interface CarriedBatch {
  readonly summary: BatchSummary;
  readonly pending: readonly PendingGroup[];
  readonly cancelled: boolean;
  readonly asked?: string;
  /** When its import has ended the wait of its items, in ms since 1970. */
  readonly waitEndedAt?: number;
}

/** The state of a plan that continue-as-new carries. */
export interface CarriedPlan {
  /**
   * Where planning continues; absent when everything is planned. If something is `left`: where the part was planned from. A worker of a
   * version that does not know `left` plans the part again: applied items are recognised, the rest is applied.
   */
  readonly cursor?: number;
  /** Planned work that remains, stage after stage, and where planning continues afterwards. */
  readonly left?: {
    readonly stages: readonly (readonly Work[])[];
    readonly next?: number;
    /** See `Plan.links`. */
    readonly links?: string;
  };
  /** The remaining work has to be planned again from `cursor` on: terminal and pending items are counted. */
  readonly isAgain?: true;
  /** Written by the version before this one: the remaining work; then `cursor` is where planning continues. */
  readonly stages?: readonly (readonly Work[])[];
}

export type CarriedState = CarriedBatch & CarriedPlan;

/** Pending items with one deadline, in ms since 1970. */
export interface PendingGroup {
  readonly expiresAt: number;
  readonly indexes: readonly number[];
}

/** What a workflow allows its activities. */
export interface Controlled {
  readonly batchId: string;
  readonly run: number;
  /**
   * If the batch is suspended or cancelled, an activity may return items that it has not begun (`left` of its result): the workflow keeps
   * them. Absent: the workflow was started by an earlier version, which would lose them, so the activity applies all of them.
   */
  readonly keepsLeft?: true;
}

/** The work of one activity: items by index, or a step of a stored plan, with the number of its items. */
export type Work =
  | { readonly kind: 'items'; readonly indexes: readonly number[] }
  | { readonly kind: 'step'; readonly step: number; readonly items: number };

export interface PlanInput extends Controlled {
  /** 0 for the first plan of a run, then the `next` of the plan before. */
  readonly cursor: number;
  /** The remaining writes are planned again because their definition has changed: terminal and pending items are counted already. */
  readonly isAgain?: true;
}

export interface Plan {
  /** Counts of the items that are terminal before anything is applied: by an earlier run, or by planning itself. */
  readonly tally: Tally;
  /** Work of one stage runs side by side, stages one after the other. */
  readonly stages: readonly (readonly Work[])[];
  /** Where planning continues once these stages are done; absent when everything is planned. */
  readonly next?: number;
  /** Nothing is planned, because the batch is suspended or cancelled: planning has to be repeated. */
  readonly isLeft?: true;
  /**
   * For writes: a hash of the fields by which items of the batch may refer to each other (`linksOf`), as the plan has read them. If a new
   * version of the definition has other ones, the plan may be wrong and is made again.
   */
  readonly links?: string;
}

/** Items of one batch that one activity applies. */
export interface ItemsOfBatch extends Controlled {
  readonly indexes: readonly number[];
  /** See `Plan.links`; absent: planned by an earlier version, or the items were pending. */
  readonly links?: string;
  /** Items in one page of the batch's bodies and outcomes; absent: its batch was started by an earlier version. */
  readonly pageSize?: number;
  /** The items are pending, and the workflow checks those again that cannot be applied for now: their deadlines do not wait for them. */
  readonly requeuesBlocked?: true;
}

/** A whole batch for one activity. */
export interface SmallBatch extends Controlled {
  readonly pageSize: number;
  readonly total: number;
  /** Time of the workflow, in ms since 1970: a local activity knows no other clock than its worker's. */
  readonly asOf: number;
  /** A program has suspended or cancelled the batch, which may not be stored yet: nothing is applied. */
  readonly isHalted?: true;
  /** It is a batch of an import, to which its end is reported. */
  readonly ofImport?: ImportOfBatch;
}

export interface SmallBatchResult {
  /** As `planBatch` gives it. */
  readonly plan: Plan | null;
  /** The only work of the plan is done; absent: nothing of the plan is applied. */
  readonly applied?: WorkResult;
  /** The batch is finished. */
  readonly summary?: BatchSummary;
}

/** The result of an activity for its items: the same however often it is delivered. */
export interface WorkResult {
  readonly tally: Tally;
  /** Its pending items, by deadline. */
  readonly pending: readonly PendingGroup[];
  /** Some terminal items have waited: the batch may still be registered for their missing references. */
  readonly hasWaited?: boolean;
  /** Items that were not begun, because the batch is suspended or cancelled; the tally does not count them. */
  readonly left?: readonly number[];
  /** They are left because the references by which they were planned have changed: the rest of the batch has to be planned again. */
  readonly isOutdated?: true;
}

/** One step of a batch's stored deletion plan. */
export interface StepOfBatch extends Controlled {
  readonly step: number;
}

export interface DeletionResult extends WorkResult {
  /** Deleted resources that no item requested. */
  readonly cascaded: number;
  /** Nothing is deleted, because the batch is suspended or cancelled: the step has to be run again. */
  readonly isLeft?: true;
}

export interface CheckResult {
  /** Items that do not wait any more: their own batch, or another one in a cycle with them, has finished them. */
  readonly settled: readonly number[];
  readonly result: WorkResult;
  /** Items that can be applied now, targets of references first. */
  readonly ready: readonly Stage[];
  /** A cycle could not be applied this time: the items have to be checked again, even without a signal. */
  readonly lookAgain: boolean;
}

export interface RecordedState extends RunningState {
  readonly batchId: string;
  readonly run: number;
  /** Scope of the batch; absent: an earlier version of the workflow has called. */
  readonly scope?: string;
  /** Only items are left that wait: reported to the import that the batch is a part of. */
  readonly report?: ImportReport & ImportOfBatch;
}

export interface FinishInput {
  readonly batchId: string;
  readonly run: number;
  /** Scope of the batch; absent: it is read. */
  readonly scope?: string;
  readonly cancelled: boolean;
  /**
   * Resources beyond the requested ids that the workflow knows this run to have deleted. The stored steps also include those
   * whose activity has failed, or whose result was lost, after their commit.
   */
  readonly cascaded: number;
  /**
   * The outcomes as the workflow knows them: every item has succeeded, and none has ever waited. Then there is nothing left to
   * finish, and the stored outcomes are the same.
   */
  readonly succeeded?: BatchResult;
  /** It is a batch of an import, to which its end is reported. */
  readonly ofImport?: ImportOfBatch;
  /** The workflow was ended from outside, and its activities stopped at any of their steps. */
  readonly abandoned?: true;
}

export interface RecoverInput {
  /** How long to continue, in ms; 0: one pass over everything, at once. */
  readonly forMs: number;
  readonly places?: RecoveryPlaces;
}

export interface RecoverResult extends Recovered {
  readonly places: RecoveryPlaces;
}
