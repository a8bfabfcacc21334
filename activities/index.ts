import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { isGrpcServiceError, ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { MongoError, MongoInvalidArgumentError, MongoServerError } from 'mongodb';
import { isLostConnection } from '../store/lost-connection.ts';
import { applyItems } from './apply-items.ts';
import { deleteResources } from './delete-resources.ts';
import type { Dependencies } from './dependencies.ts';
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
export function createActivities(dependencies: Dependencies): Activities {
  return Object.fromEntries(
    Object.entries(ACTIVITIES).map(([name, activity]) => [
      name,
      async (input: never) => {
        try {
          return await activity(dependencies, input);
        } catch (error) {
          throw classified(dependencies, name, error);
        }
      },
    ]),
  ) as unknown as Activities; // the names and types are those of ACTIVITIES
}

/** Error code of MongoDB for a document past its limit. */
const BSON_OBJECT_TOO_LARGE = 10_334;

/** A document that no later attempt can store either. */
const isTooLarge = (error: MongoError): boolean =>
  error instanceof MongoInvalidArgumentError ||
  (error instanceof MongoServerError && error.code === BSON_OBJECT_TOO_LARGE);

/** What MongoDB and Temporal do while they, or the way to them, are not well. */
const isPassing = (error: Error): boolean =>
  (error instanceof MongoError && !isTooLarge(error)) ||
  error instanceof ServiceError ||
  error instanceof WorkflowNotFoundError ||
  isGrpcServiceError(error) ||
  isLostConnection(error);

/**
 * Retry by the kind of error: what servers do passes (retried for ever, with back-off); what we have thrown on purpose says
 * itself; anything else is a bug, which a retry would only repeat.
 */
function classified({ logger }: Dependencies, name: string, error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || error instanceof CompleteAsyncError)
    return error;
  if (error instanceof Error && isPassing(error)) {
    logger.warn(
      { activity: name, err: { name: error.name, message: error.message } },
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
