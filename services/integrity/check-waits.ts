import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { waitSecondsOf } from '../../domain/batch/batch.ts';
import { presentKeys } from '../../isolation/resources/targets.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { openBatchPages, stillOpen } from '../../store/batches/to-recover.ts';
import { allMissing, outcomeChunks, pendingAmong } from '../../store/items/outcomes.ts';
import { registeredItems } from '../../store/items/pending-items.ts';
import { registeredKeys } from '../../store/items/waits.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { keyParts, parts } from '../../store/mongodb/parts.ts';
import type { Scan } from '../../store/mongodb/scan.ts';
import { batchWorkflowId } from '../../workflows/messages.ts';
import { signalAvailable } from '../batches/wake-waiting.ts';
import { type Check, checkOf, type FaultKind, type IntegrityParts, idsOf, type Suspicion, some } from './check.ts';

/** Batches that are read at a time. */
const BATCHES_AT_ONCE = 100;

/**
 * Batches that wait, and whose items nobody will wake (invariant 5). The repair is a signal: the batch checks for itself, applies what it can and registers
 * the rest.
 */
export function checkWaits(given: IntegrityParts): Check {
  const wake = async (found: readonly Suspicion[]): Promise<void> => {
    for (const id of idsOf(found)) await signalAvailable(given, id, []);
  };
  return checkOf(scanRunning(given.database), (page) => suspicionsIn(given, page), {
    asleep: wake,
    'not registered': wake,
  });
}

/** The batches that are not over: few of all, which an index finds. */
const scanRunning = (database: Database): Scan<BatchDocument> => ({
  name: 'batches',
  async *pages() {
    for await (const page of openBatchPages(database, '', BATCHES_AT_ONCE))
      yield await stillOpen(
        database,
        page.map(({ _id }) => _id),
      );
  },
  async *again(ids) {
    for (const some of parts(ids, BATCHES_AT_ONCE)) yield await stillOpen(database, some);
  },
});

async function suspicionsIn(given: IntegrityParts, page: readonly BatchDocument[]): Promise<Suspicion[]> {
  const found: Suspicion[] = [];
  for (const batch of page.filter(isWaiting)) {
    const own = await waitFaults(given.database, batch);
    // a workflow that has something to do will find out for itself
    if (own.length > 0 && (await isAtRest(given.client, batch._id))) found.push(...own);
  }
  return found;
}

/** Whether a batch only waits: one that is suspended checks when it is resumed. */
const isWaiting = (batch: BatchDocument): boolean =>
  batch.status === 'waiting' && !batch.suspended && batch.deletedAt === undefined && waitSecondsOf(batch) > 0;

/** Whether an execution does nothing until it gets a signal, or its timer fires. */
async function isAtRest(client: Client, batchId: string): Promise<boolean> {
  try {
    const { raw } = await client.workflow.getHandle(batchWorkflowId(batchId)).describe();
    return (raw.pendingActivities ?? []).length === 0 && !raw.pendingWorkflowTask;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function waitFaults(database: Database, batch: BatchDocument): Promise<Suspicion[]> {
  const asleep: number[] = [];
  const unregistered: number[] = [];
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    const pending = pendingAmong(outcomes);
    if (pending.length === 0) continue;
    const missing = await allMissing(database, pending);
    const keys = new Set([...missing.values()].flatMap((missed) => missed.keys));
    const present = new Set<string>();
    for (const portion of keyParts(keys)) for (const key of await presentKeys(database, portion)) present.add(key);
    const registered = await registeredKeys(
      database,
      batch,
      [...keys].filter((key) => !present.has(key)),
    );
    const items = await registeredItems(database, batch, [...missing.keys()]);
    for (const [index, missed] of missing) {
      const absent = missed.keys.filter((key) => !present.has(key));
      if (absent.length === 0) asleep.push(index);
      else if (!items.has(index) || absent.some((key) => !registered.has(key))) unregistered.push(index);
    }
  }
  return [
    ...faultOf('asleep', batch, asleep, 'everything that they refer to is there'),
    ...faultOf('not registered', batch, unregistered, 'nobody finds them when it appears'),
  ];
}

function faultOf(kind: FaultKind, batch: BatchDocument, indexes: readonly number[], why: string): Suspicion[] {
  if (indexes.length === 0) return [];
  const detail = `items ${some(indexes.map(String))}: ${why}`;
  return [{ kind, id: batch._id, state: `${batch.run}:${indexes[0]}`, detail }];
}
