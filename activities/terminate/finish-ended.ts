import type { Client } from '@temporalio/client';
import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { wasEndedBy } from '../../services/executions/execution-history.ts';
import { describeExecution } from '../../services/executions/executions.ts';
import { CLOCK_SKEW_MS } from '../../services/executions/select-executions.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** Number of executions that are described at a time. */
const AT_ONCE = 20;

/**
 * Finds items of a termination whose execution this batch has ended, and whose activity died before it stored that:
 * they have succeeded (invariant 2). The execution that an item is about to end is noted on the item before (`target`), so only these are checked.
 * @param open outcomes of items that are not terminal. @returns the indexes of items that are terminal now.
 */
export async function finishEnded(
  { client, database }: { readonly client: Client; readonly database: Database },
  batch: BatchDocument,
  open: ReadonlyMap<number, StoredOutcome>,
): Promise<ReadonlySet<number>> {
  const ended = new Map<number, StoredOutcome>();
  const noted = [...open].filter(([, { target }]) => target !== undefined);
  await forEachConcurrently(noted, AT_ONCE, async ([index, { target, attempts }]) => {
    if (target !== undefined && (await isEnded(client, batch, target)))
      ended.set(index, { status: 'succeeded', action: 'deleted', attempts: attempts + 1 });
  });
  await writeOutcomes(database, batch, ended);
  return new Set(ended.keys());
}

/** The execution may have continued as new since it was noted; its id may belong to another one by now, which does not count. */
async function isEnded(
  client: Client,
  batch: BatchDocument,
  { workflowId, runId, firstRunId }: NonNullable<StoredOutcome['target']>,
): Promise<boolean> {
  const latest = await describeExecution(client, workflowId);
  const isMeant = latest?.firstRunId === firstRunId;
  const execution = isMeant ? latest : await describeExecution(client, workflowId, runId);
  return execution !== null && wasEndedBy(client, batch._id, execution, batch.createdAt.getTime() - CLOCK_SKEW_MS);
}
