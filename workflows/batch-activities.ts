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
import { batchSummaries } from './summaries.ts';

/** An outage is retried without end: the batch makes no progress until MongoDB and Temporal are available again. */
const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** An activity that reads the whole batch may take long. */
const SURVEY_TIMEOUT = '15m';

/**
 * A batch of at most so many items is finished in milliseconds, whatever their outcomes are; a batch of any size is, if all items have
 * succeeded. Finishing a larger batch inside the workflow task would delay its status queries.
 */
const MAX_ITEMS_FINISHED_LOCALLY = 100;
/** Well below the 10 s of a workflow task, so that no other worker runs the same survey at the same time. One attempt: see `localFirst`. */
const LOCAL_SURVEY = {
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
} as const satisfies LocalActivityOptions;

/** An activity that waits for executions to end, each for its grace period; if its worker dies, another worker retries it soon. */
const ENDING = { startToCloseTimeout: '1h', heartbeatTimeout: '10s', retry: RETRY } as const satisfies ActivityOptions;

/** Executions started before terminations had a task queue of their own keep using the common one when they are replayed. */
function endingOptions({ version }: BatchInput): ActivityOptions {
  if (version === undefined && !patched('termination-task-queue')) return ENDING;
  return { ...ENDING, taskQueue: terminationTaskQueue(workflowInfo().taskQueue) };
}

/**
 * The activities of one batch, each with the summary that the Temporal UI shows. The fairness key makes Temporal dispatch the tasks of
 * all tenants fairly.
 */
export function batchActivities(input: BatchInput, running: { local: number }) {
  const priority = fairness(input);
  // short; Temporal times it out after the time that `Attempt.assertInTime` checks
  const work: ActivityOptions = { startToCloseTimeout: input.activityTimeoutSeconds * 1000, retry: RETRY };
  // its heartbeats show that it is alive: after a worker died, a survey is retried as soon as that worker's other activities
  const survey: ActivityOptions = {
    startToCloseTimeout: SURVEY_TIMEOUT,
    heartbeatTimeout: input.activityTimeoutSeconds * 1000,
    retry: RETRY,
  };
  const summaries = batchSummaries(input);
  const call = (options: ActivityOptions, summary: string) =>
    proxyActivities<Activities>({ ...options, priority, summary });
  const surveys = (summary: string) => ({
    local: proxyLocalActivities<Activities>({ ...LOCAL_SURVEY, summary }),
    durable: call(survey, summary),
  });
  /**
   * Runs an activity inside the workflow task, which halves the work of the Temporal server for a small batch. If that fails (MongoDB
   * is unavailable), the activity becomes a task of its own, which is retried until it succeeds and is visible in the Temporal UI.
   */
  const localFirst = async <I, O>(
    local: (input: I) => Promise<O>,
    durable: (input: I) => Promise<O>,
    argument: I,
  ): Promise<O> => {
    const counted = input.version === undefined ? 0 : 1;
    running.local += counted;
    try {
      return await local(argument);
    } catch (error) {
      // the failure of a local activity is not wrapped in an `ActivityFailure`
      if (!(error instanceof TemporalFailure)) throw error;
    } finally {
      running.local -= counted;
    }
    return durable(argument);
  };
  return {
    /** @param isFirst nothing of the batch has begun. */
    plan: (plan: Parameters<Activities['planBatch']>[0], isFirst: boolean) => {
      const { local, durable } = surveys(summaries.plan());
      // the plan of a retry reads all outcomes and wakes other batches first; a repeated plan reads all outcomes too
      const isEarly = isFirst || input.version === undefined;
      const isQuick = isWrite(input.operation) && input.run === 1 && !plan.isAgain && isEarly;
      return isQuick ? localFirst(local.planBatch, durable.planBatch, plan) : durable.planBatch(plan);
    },
    runSmall: (batch: Parameters<Activities['runSmallBatch']>[0]) => {
      const summary = summaries.runSmall();
      const local = proxyLocalActivities<Activities>({ ...LOCAL_SURVEY, summary });
      return localFirst(local.runSmallBatch, call(work, summary).runSmallBatch, batch);
    },
    applyItems: (items: Parameters<Activities['applyItems']>[0]) => {
      const summary = summaries.apply(items);
      return input.operation === 'terminate'
        ? call(endingOptions(input), summary).terminateExecutions(items)
        : call(work, summary).applyItems(items);
    },
    deleteStep: (step: Parameters<Activities['deleteResources']>[0], items: number) =>
      input.operation === 'undo'
        ? call(work, summaries.undoStep(step, items)).undoStep(step)
        : call(work, summaries.deleteStep(step, items)).deleteResources(step),
    check: (items: Parameters<Activities['lookForDependencies']>[0]) =>
      call(survey, summaries.check(items)).lookForDependencies(items),
    expireItems: (items: Parameters<Activities['expireItems']>[0]) =>
      call(survey, summaries.expire(items)).expireItems(items),
    record: (state: Parameters<Activities['recordState']>[0]) => call(work, summaries.record(state)).recordState(state),
    finish: (finish: Parameters<Activities['finishBatch']>[0]) => {
      const { local, durable } = surveys(summaries.finish());
      const isSmall = finish.succeeded !== undefined || input.total <= MAX_ITEMS_FINISHED_LOCALLY;
      const isQuick = isWrite(input.operation) && isSmall;
      return isQuick ? localFirst(local.finishBatch, durable.finishBatch, finish) : durable.finishBatch(finish);
    },
  };
}
