import { ApplicationFailure, activityInfo, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { attemptOfCommands } from '../isolation/attempts/attempt.ts';
import { classifyFailure } from '../services/failures.ts';
import { asAttempt } from '../store/mongodb/command-time.ts';
import { SupersededError } from '../store/mongodb/errors.ts';
import type { ActivityContext } from './activity-context.ts';
import { applyItems } from './apply-items.ts';
import { runBulkOperation } from './bulk/run-bulk-operation.ts';
import { undoImport } from './bulk/undo-import.ts';
import { checkImport } from './check-import.ts';
import { cutImport } from './cut-import.ts';
import { deleteResources } from './delete-resources.ts';
import { expireItems } from './expire-items.ts';
import { finishBatch } from './finish-batch.ts';
import { finishImport } from './finish-import.ts';
import { lookForDependencies } from './look-for-dependencies.ts';
import { planBatch } from './plan-batch.ts';
import { recordState } from './record-state.ts';
import { recover, sweep } from './recover.ts';
import { runSmallBatch } from './run-small-batch.ts';
import { settleImport } from './settle-import.ts';
import { terminateExecutions } from './terminate-executions.ts';
import { undoStep } from './undo-step.ts';
import { deliverMessages } from './webhooks/deliver-messages.ts';

const ACTIVITIES = {
  applyItems,
  checkImport,
  cutImport,
  deleteResources,
  deliverMessages,
  expireItems,
  finishBatch,
  finishImport,
  lookForDependencies,
  planBatch,
  recordState,
  recover,
  runBulkOperation,
  runSmallBatch,
  settleImport,
  sweep,
  terminateExecutions,
  undoImport,
  undoStep,
};

/** Every activity, as workflows call it. */
export type Activities = {
  [Name in keyof typeof ACTIVITIES]: (
    input: Parameters<(typeof ACTIVITIES)[Name]>[1],
  ) => ReturnType<(typeof ACTIVITIES)[Name]>;
};

/** What the input of an activity says about its batch and its time; `recover` has no batch. */
interface AnyInput {
  readonly batchId?: string;
  readonly run?: number;
  readonly asOf?: number;
}

/** Makes the activities of a worker. */
export function createActivities(context: ActivityContext): Activities {
  return Object.fromEntries(
    Object.entries(ACTIVITIES).map(([name, activity]) => [
      name,
      async (input?: AnyInput) => {
        try {
          return await asAttempt<unknown>(attemptOfCommands(activityInfo(), input?.asOf), () =>
            activity(context, input as never),
          );
        } catch (error) {
          throw toThrow(context, name, input, error);
        }
      },
    ]),
  ) as unknown as Activities; // the names and types are those of ACTIVITIES
}

/**
 * The error that Temporal gets for an error of an activity. `ApplicationFailure` and the SDK's own errors pass unchanged. An outage is
 * retried without end, and so is an attempt that another one has superseded. Anything else is a bug, which a retry would only repeat.
 */
function toThrow({ logger }: ActivityContext, activity: string, input: AnyInput | undefined, error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || error instanceof CompleteAsyncError)
    return error;
  const { kind } = classifyFailure(error);
  const about = { activity, batchId: input?.batchId, run: input?.run };
  const errorName = error instanceof Error ? error.name : 'error';
  if (kind === 'outage' || error instanceof SupersededError) {
    logger.warn(
      // pino logs an error under another name than `err` as a plain object
      { ...about, err: error },
      kind === 'outage' ? 'a server failed; the activity is retried' : 'a later attempt has superseded this one',
    );
    return ApplicationFailure.retryable(`${errorName} in ${activity}`, errorName);
  }
  logger.error({ ...about, kind, err: error }, 'an activity failed because of a bug');
  return ApplicationFailure.nonRetryable(`${errorName} in ${activity}; the worker log has the reason`, 'Bug');
}
