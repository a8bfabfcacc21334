import {
  type ActivityOptions,
  type LocalActivityOptions,
  patched,
  proxyActivities,
  proxyLocalActivities,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { isWrite } from '../domain/batch/batch.ts';
import { fairness } from '../domain/batch/fairness-key.ts';
import { type BatchInput, terminationTaskQueue } from './messages.ts';

/** Every failure that is not ours to mend is waited out: the batch stands still until MongoDB is back. */
const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** An activity that reads the whole batch may take long. */
const SURVEY_TIMEOUT = '15m';

/**
 * A batch of at most so many items is finished in milliseconds, whatever has become of them; any, where all have succeeded. While
 * a larger one were, its status queries would wait.
 */
const MAX_ITEMS_FINISHED_LOCALLY = 100;
/** Well within the 10 s of a workflow task, so that no other worker surveys the same meanwhile. One attempt: see `localFirst`. */
const LOCAL_SURVEY = {
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
} as const satisfies LocalActivityOptions;

/** An activity that waits for executions to end, each for a grace; one whose worker died is to be taken up soon. */
const ENDING = { startToCloseTimeout: '1h', heartbeatTimeout: '10s', retry: RETRY } as const satisfies ActivityOptions;

/** Replays of batches that were begun before terminations had a task queue of their own go on with that of all. */
function ending(): ActivityOptions {
  if (!patched('termination-task-queue')) return ENDING;
  return { ...ENDING, taskQueue: terminationTaskQueue(workflowInfo().taskQueue) };
}

/**
 * The activities of one batch, each with what the Temporal UI shows of it: a summary of numbers. Tasks of a tenant are
 * dispatched in fair turns with those of others.
 */
export function batchActivities(input: BatchInput) {
  const priority = fairness(input);
  // Short, and given up after the time that `Attempt.assertInTime` keeps to.
  const work: ActivityOptions = { startToCloseTimeout: input.activityTimeoutSeconds * 1000, retry: RETRY };
  // Known to be alive by its heartbeats: what a dead worker was surveying is taken up as soon as its other work.
  const survey: ActivityOptions = {
    startToCloseTimeout: SURVEY_TIMEOUT,
    heartbeatTimeout: input.activityTimeoutSeconds * 1000,
    retry: RETRY,
  };
  const shown = (summary: string): string => `${summary} of ${input.schemaName}`.slice(0, 200);
  const call = (options: ActivityOptions, summary: string) =>
    proxyActivities<Activities>({ ...options, priority, summary: shown(summary) });
  const surveys = (summary: string) => ({
    local: proxyLocalActivities<Activities>({ ...LOCAL_SURVEY, summary: shown(summary) }),
    durable: call(survey, summary),
  });
  const itemRange = (indexes: readonly number[]): string =>
    indexes.length === 1 ? `item ${indexes[0]}` : `${indexes.length} items from ${indexes[0]} on`;
  return {
    plan: (plan: Parameters<Activities['planBatch']>[0]) => {
      const { local, durable } = surveys(`plan ${input.operation} of ${input.total} items`);
      // a retry reads all outcomes and wakes others first; what is planned again reads them too
      const isQuick = isWrite(input.operation) && input.run === 1 && !plan.isAgain;
      return isQuick ? localFirst(local.planBatch, durable.planBatch, plan) : durable.planBatch(plan);
    },
    applyItems: (items: Parameters<Activities['applyItems']>[0]) => {
      const summary = `${input.operation} ${itemRange(items.indexes)}`;
      return input.operation === 'terminate'
        ? call(ending(), summary).terminateExecutions(items)
        : call(work, summary).applyItems(items);
    },
    deleteStep: (step: Parameters<Activities['deleteResources']>[0], items: number) =>
      call(work, `delete step ${step.step}: ${items} resources`).deleteResources(step),
    look: (items: Parameters<Activities['lookForDependencies']>[0]) =>
      call(survey, `look for dependencies of ${items.indexes.length} pending items`).lookForDependencies(items),
    expireItems: (items: Parameters<Activities['expireItems']>[0]) =>
      call(survey, `expire ${itemRange(items.indexes)}`).expireItems(items),
    record: (state: Parameters<Activities['recordState']>[0]) =>
      call(
        work,
        `store that the batch is ${state.cancelled ? 'cancelled' : state.suspended ? 'suspended' : state.status}`,
      ).recordState(state),
    finish: (finish: Parameters<Activities['finishBatch']>[0]) => {
      const { local, durable } = surveys(`finish ${input.operation} of ${input.total} items`);
      const isSmall = finish.succeeded !== undefined || input.total <= MAX_ITEMS_FINISHED_LOCALLY;
      const isQuick = isWrite(input.operation) && isSmall;
      return isQuick ? localFirst(local.finishBatch, durable.finishBatch, finish) : durable.finishBatch(finish);
    },
  };
}

/**
 * Runs an activity inside the workflow task, which spares the server half of its work for a small batch; where that fails
 * (MongoDB is away), it is a task of its own that is retried, and seen in the Temporal UI, until it succeeds.
 */
async function localFirst<I, O>(
  local: (input: I) => Promise<O>,
  durable: (input: I) => Promise<O>,
  input: I,
): Promise<O> {
  try {
    return await local(input);
  } catch (error) {
    // what a local activity fails with is not wrapped as that of another is
    if (!(error instanceof TemporalFailure)) throw error;
    return durable(input);
  }
}
