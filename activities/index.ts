import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { isGrpcServiceError, ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { attemptOfCommands } from '../isolation/attempt.ts';
import { asAttempt } from '../store/mongodb/command-time.ts';
import { kindOfFailure, SupersededError } from '../store/mongodb/errors.ts';
import type { ActivityContext } from './activity-context.ts';
import { applyItems } from './apply-items.ts';
import { deleteResources } from './delete-resources.ts';
import { expireItems } from './expire-items.ts';
import { finishBatch } from './finish-batch.ts';
import { lookForDependencies } from './look-for-dependencies.ts';
import { planBatch } from './plan-batch.ts';
import { recordState } from './record-state.ts';
import { recover, sweep } from './recover.ts';
import { terminateExecutions } from './terminate-executions.ts';

const ACTIVITIES = {
  applyItems,
  deleteResources,
  expireItems,
  finishBatch,
  lookForDependencies,
  planBatch,
  recordState,
  recover,
  sweep,
  terminateExecutions,
};

/** Every activity, as workflows call it. */
export type Activities = {
  [Name in keyof typeof ACTIVITIES]: (
    input: Parameters<(typeof ACTIVITIES)[Name]>[1],
  ) => ReturnType<(typeof ACTIVITIES)[Name]>;
};

/** Makes the activities of a worker. */
export function createActivities(context: ActivityContext): Activities {
  return Object.fromEntries(
    Object.entries(ACTIVITIES).map(([name, activity]) => [
      name,
      async (input: never) => {
        try {
          return await asAttempt<unknown>(attemptOfCommands(), () => activity(context, input));
        } catch (error) {
          throw classified(context, name, error);
        }
      },
    ]),
  ) as unknown as Activities; // the names and types are those of ACTIVITIES
}

/** What MongoDB and Temporal do while they, or the way to them, are not well. */
const isPassing = (error: Error): boolean =>
  kindOfFailure(error) === 'outage' ||
  error instanceof SupersededError ||
  error instanceof ServiceError ||
  error instanceof WorkflowNotFoundError ||
  isGrpcServiceError(error);

/**
 * Retry by the kind of error: what servers do passes (retried for ever, with back-off); what we have thrown on purpose says
 * itself; anything else is a bug, which a retry would only repeat.
 */
function classified({ logger }: ActivityContext, name: string, error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || error instanceof CompleteAsyncError)
    return error;
  if (error instanceof Error && isPassing(error)) {
    logger.warn(
      // an object of ours instead would be logged as "no error was thrown"
      { activity: name, err: error },
      'a server failed; the activity is retried',
    );
    return ApplicationFailure.retryable(`${error.name} in ${name}`, error.name);
  }
  logger.error({ activity: name, err: error }, 'an activity failed for a reason of ours');
  return ApplicationFailure.nonRetryable(
    `${error instanceof Error ? error.name : 'error'} in ${name}; the worker log has the reason`,
    'Bug',
  );
}
