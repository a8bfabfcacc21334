import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { fairTurn } from '../domain/fair-turns.ts';
import type { BatchInput } from './messages.ts';

/** Every failure that is not ours to mend is waited out: the batch stands still until MongoDB is back. */
const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** An activity that reads the whole batch may take long. */
const SURVEY_TIMEOUT = '15m';

/** An activity that waits for executions to end, each for a grace; one whose worker died is to be taken up soon. */
const ENDING = { startToCloseTimeout: '1h', heartbeatTimeout: '10s', retry: RETRY } as const satisfies ActivityOptions;

/**
 * The activities of one batch, each with what the Temporal UI shows of it: a summary of numbers. Tasks of a tenant are
 * dispatched in fair turns with those of others.
 */
export function batchActivities(input: BatchInput) {
  const priority = fairTurn(input);
  // Short, and given up after the time that `Delivery.assertInTime` keeps to.
  const work: ActivityOptions = { startToCloseTimeout: input.activityTimeoutSeconds * 1000, retry: RETRY };
  // Known to be alive by its heartbeats: what a dead worker was surveying is taken up as soon as its other work.
  const survey: ActivityOptions = {
    startToCloseTimeout: SURVEY_TIMEOUT,
    heartbeatTimeout: input.activityTimeoutSeconds * 1000,
    retry: RETRY,
  };
  const call = (options: ActivityOptions, summary: string) =>
    proxyActivities<Activities>({ ...options, priority, summary: `${summary} of ${input.schemaName}`.slice(0, 200) });
  const itemRange = (indexes: readonly number[]): string =>
    indexes.length === 1 ? `item ${indexes[0]}` : `${indexes.length} items from ${indexes[0]} on`;
  return {
    plan: (plan: Parameters<Activities['planBatch']>[0]) =>
      call(survey, `plan ${input.operation} of ${input.total} items`).planBatch(plan),
    applyItems: (items: Parameters<Activities['applyItems']>[0]) => {
      const summary = `${input.operation} ${itemRange(items.indexes)}`;
      return input.operation === 'terminate'
        ? call(ENDING, summary).terminateExecutions(items)
        : call(work, summary).applyItems(items);
    },
    deleteStep: (step: Parameters<Activities['deleteResources']>[0], items: number) =>
      call(work, `delete step ${step.step}: ${items} resources`).deleteResources(step),
    look: (items: Parameters<Activities['lookForDependencies']>[0]) =>
      call(work, `look for dependencies of ${items.indexes.length} pending items`).lookForDependencies(items),
    expireItems: (items: Parameters<Activities['expireItems']>[0]) =>
      call(work, `expire ${itemRange(items.indexes)}`).expireItems(items),
    record: (state: Parameters<Activities['recordState']>[0]) =>
      call(work, `store that the batch is ${state.suspended ? 'suspended' : state.status}`).recordState(state),
    finish: (finish: Parameters<Activities['finishBatch']>[0]) =>
      call(survey, `finish ${input.operation} of ${input.total} items`).finishBatch(finish),
  };
}
