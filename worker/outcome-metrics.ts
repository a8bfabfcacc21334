import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { type BatchStatus, isTerminal } from '../domain/batch/batch.ts';
import type { Counts } from '../domain/batch/outcome.ts';
import type { Tally } from '../domain/batch/tally.ts';
import { timeOf } from '../services/batches/accept-batch.ts';

/** What is read of the input and the result of any activity. */
interface Input {
  readonly batchId?: string;
  readonly run?: number;
  readonly indexes?: readonly number[];
  readonly requeuesBlocked?: true;
}
interface Result {
  readonly tally?: Tally;
  /** Of one that runs a whole batch. */
  readonly applied?: { readonly tally: Tally };
  readonly summary?: { readonly status: BatchStatus };
  readonly status?: BatchStatus;
}

/** The activities that apply items, that end a batch, and that run a whole small one. */
const APPLYING = 'applyItems';
const FINISHING = 'finishBatch';
const WHOLE = 'runSmallBatch';

/**
 * Measures batches by the inputs and results of activities, beside the metrics of the SDK: outcomes of items by status, the time from acceptance to the outcome
 * of the first item (of uploads and patches), and to the end. A retried activity counts again: the numbers are for monitoring, not for accounting.
 */
export function measureBatches({ info, metricMeter }: Context): ActivityInterceptors {
  const items = metricMeter.createCounter('drover_items', 'items', 'Items by what became of them');
  const seconds = (name: string, help: string) => metricMeter.createHistogram(name, 'float', 'seconds', help);
  const firstItem = seconds('drover_batch_first_item', 'Time from acceptance until the first item has its outcome');
  const duration = seconds('drover_batch_duration', 'Time from acceptance until a batch is finished');
  return {
    inbound: {
      execute: async (input, next) => {
        const result = await next(input);
        const [given, found] = [objectOf<Input>(input.args[0]), objectOf<Result>(result)];
        for (const [status, count] of Object.entries(countsIn(found))) if (count > 0) items.add(count, { status });
        const age = ageOf(given.batchId);
        if (age !== null && info.attempt === 1 && hasFirst(given, found, info.activityType)) firstItem.record(age);
        const ended = endIn(found, info.activityType);
        if (age !== null && ended !== null) duration.record(age, { status: ended });
        return result;
      },
    },
  };
}

const objectOf = <T extends object>(value: unknown): Partial<T> =>
  typeof value === 'object' && value !== null ? (value as Partial<T>) : {};

/** Most activities return a tally of outcomes; one that runs a whole batch has that of its work in its result. */
const countsIn = ({ tally, applied }: Result): Partial<Counts> => (applied?.tally ?? tally)?.counts ?? {};

/** Seconds since a batch was accepted: its id says when. */
function ageOf(batchId: string | undefined): number | null {
  const age = batchId === undefined ? Number.NaN : (Date.now() - timeOf(batchId).getTime()) / 1000;
  return Number.isFinite(age) ? Math.max(0, age) : null;
}

/** Whether this has given the first item its outcome. Pending items are looked at again, and have waited. */
function hasFirst({ run, indexes, requeuesBlocked }: Input, { applied }: Result, activityType: string): boolean {
  if (run !== 1 || requeuesBlocked) return false;
  return activityType === WHOLE ? applied !== undefined : activityType === APPLYING && indexes?.includes(0) === true;
}

/** The status with which a batch has ended, if it has. */
function endIn({ status, summary }: Result, activityType: string): BatchStatus | null {
  const ended = activityType === FINISHING ? status : activityType === WHOLE ? summary?.status : undefined;
  return ended !== undefined && isTerminal(ended) ? ended : null;
}
