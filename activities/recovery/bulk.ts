import { DAY_MS } from '../../domain/clocks.ts';
import { deleteExecutionsOf } from '../../services/batches/purge-batch.ts';
import { latestExecutionOf } from '../../services/batches/start-batch.ts';
import { startBulk } from '../../services/bulk/start-bulk.ts';
import {
  oldBulkOperations,
  type RecoveredOperation,
  recordBulkFinished,
  removeBulkOperation,
  runningBulkOperations,
  unstartedBulkOperations,
} from '../../store/bulk/bulk-operations.ts';
import { bulkWorkflowId } from '../../workflows/bulk/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import { forEachDocument, nextPage, PER_PORTION } from './each-document.ts';
import type { Portion, RecoveryJob } from './job.ts';

/** Longer than the time that the process which stores one has for its start, in ms. */
const DUE_SOON_MS = 10_000;
const LOST = 'bulk-lost';

const forEachOne = (
  portion: Portion,
  operations: readonly RecoveredOperation[],
  act: (operation: RecoveredOperation) => Promise<boolean>,
): Promise<number> =>
  forEachDocument(
    portion,
    operations,
    { what: 'recovering a bulk operation', about: ({ _id }) => ({ bulkId: _id }) },
    act,
  );

const startUnstartedBulk: RecoveryJob = {
  name: 'start-bulk',
  everyMs: 2_000,
  run: async (portion) => {
    const { context, isAtOnce } = portion;
    const asOf = new Date(Date.now() + (isAtOnce ? DUE_SOON_MS : 0));
    const operations = await unstartedBulkOperations(context.database, asOf, PER_PORTION);
    const started = await forEachOne(portion, operations, async (operation) => {
      await startBulk(context, operation);
      return true;
    });
    return { recovered: { started }, hasMore: false };
  },
};

/** Starts lost workflows again; a bulk operation whose workflow was ended in Temporal is over. */
const restartLostBulk: RecoveryJob = {
  name: LOST,
  everyMs: 20_000,
  run: async (portion) => {
    const { context, places } = portion;
    const operations = await runningBulkOperations(context.database, places.get(LOST) ?? '', PER_PORTION);
    const begun = operations.filter(({ unstarted }) => !unstarted);
    const finished = await forEachOne(portion, begun, (operation) => repair(context, operation));
    return nextPage(portion, LOST, operations, { finished });
  },
};

async function repair(context: ActivityContext, operation: RecoveredOperation): Promise<boolean> {
  const execution = await latestExecutionOf(context.client, bulkWorkflowId(operation._id));
  if (execution?.isOpen) return false;
  if (execution === null) await startBulk(context, operation);
  else await recordBulkFinished(context.database, operation._id, 'cancelled');
  return true;
}

/** Removes bulk operations after the retention of batches. */
const expireBulk: RecoveryJob = {
  name: 'expire-bulk',
  everyMs: 60_000,
  run: async (portion) => {
    const { database, client, retentionDays } = portion.context;
    if (retentionDays === 0) return { recovered: {}, hasMore: false };
    const before = new Date(Date.now() - retentionDays * DAY_MS);
    const operations = await oldBulkOperations(database, before, PER_PORTION);
    const removed = await forEachOne(portion, operations, async (operation) => {
      await deleteExecutionsOf(client, bulkWorkflowId(operation._id));
      await removeBulkOperation(database, operation);
      return true;
    });
    return { recovered: { removed }, hasMore: removed === PER_PORTION };
  },
};

/** What recovery does for bulk operations, the most urgent first. */
export const BULK_JOBS: readonly RecoveryJob[] = [startUnstartedBulk, restartLostBulk, expireBulk];
