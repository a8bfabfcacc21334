import { ofWrite } from '../../domain/batch/batch.ts';
import { RESOURCES_PER_SLICE } from '../../domain/batch/plan-chunks.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { type Attempt, isBlocked, keepingAlive } from '../../isolation/attempts/attempt.ts';
import { claimedItems } from '../../isolation/attempts/earlier-attempts.ts';
import { withIntent } from '../../isolation/intents/with-intent.ts';
import { signalAvailable, wakeWaiting } from '../../services/batches/wake-waiting.ts';
import type { LoadedSchema } from '../../services/definitions/schema-catalog.ts';
import { toWorkItems, type WorkItem } from '../../services/writes/work-items.ts';
import { failedOutcome, SCHEMA_GONE } from '../../services/writes/write-outcome.ts';
import { type BatchDocument, readBatches, type WriteBatchDocument } from '../../store/batches/batches.ts';
import { haltOf } from '../../store/batches/halts.ts';
import { recordClaims } from '../../store/batches/run-state.ts';
import { readItems } from '../../store/items/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import type { PendingMember } from '../../store/items/pending-documents.ts';
import { claimedBy, claimPending, dropPending, unclaimPending } from '../../store/items/pending-items.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { ActivityContext } from '../activity-context.ts';
import { showProgress } from '../control/show-progress.ts';
import { finishApplied } from '../finish/finish-open-items.ts';
import { createdKeys, storeFailures, storeResults } from './item-outcomes.ts';
import { readStoredState, type WriteResult, writeItems } from './write-items.ts';

/** Batches whose items are read, or that are signalled, at a time. */
const OWNERS_AT_ONCE = 10;

/**
 * Applies pending items of several batches together. They are claimed first, so that their own batches do not apply them;
 * their batches are noted before on the batch that claims them, so that a later attempt releases the claims of an earlier one,
 * and signals the other batches. Nothing is applied if another batch has claimed a member, or one of the batches is suspended or cancelled, or
 * others are at work on something that the members need: then the claims are released, so that deadlines do not wait.
 * @returns false in these cases: afterwards, no other batch may check these members again.
 */
export const applyCycle = (
  context: ActivityContext,
  attempt: Attempt,
  batch: BatchDocument,
  members: readonly PendingMember[],
): Promise<boolean> => keepingAlive(context, attempt, (alive) => applyAlive(context, alive, batch, members));

async function applyAlive(
  context: ActivityContext,
  attempt: Attempt,
  batch: BatchDocument,
  members: readonly PendingMember[],
): Promise<boolean> {
  const { database, checkpoint } = context;
  attempt.assertInTime();
  const owners = new Set(members.map((member) => member.batchId));
  if (!(await recordClaims(database, batch, owners))) return false;
  if (!(await claimPending(database, batch, members))) {
    await recordClaims(database, batch, new Set());
    return false;
  }
  await checkpoint?.('claimed', batch._id);
  const batches = await readBatches(database, [...owners]);
  // a cycle is applied whole: it waits while the batch of one member is suspended or cancelled
  if (batches.some((owner) => haltOf(owner, owner.run) !== null)) {
    await releaseClaims(context, batch, members, owners);
    return false;
  }
  const { work, schemas, faulty } = await loadMembers(context, batches, members);
  const claimed = () => claimedItems(database, batch);
  const writing = { context, batch, attempt, storeFailures: storeFailures(database) };
  const created = await unlessBlocked(() =>
    withIntent(context, attempt, batch, schemas, work, claimed, {
      read: () => readStoredState(writing, work),
      write: async (stored) => {
        const results = await writeItems(writing, work, stored);
        attempt.assertInTime();
        await storeOutcomes(context, faulty, results);
        return createdKeys(results);
      },
    }),
  );
  if (created === null) {
    // A later attempt has released these claims, and may have others.
    attempt.assertInTime();
    await finishWritten(context, members);
    await releaseClaims(context, batch, members, 'finished');
    return false;
  }
  await checkpoint?.('outcomes-stored', batch._id);
  await wakeWaiting(context, created);
  // A later attempt has released these claims, and may have others.
  attempt.assertInTime();
  await releaseClaims(context, batch, members, owners);
  return true;
}

/** @returns null if others are at work on something that it needs. */
async function unlessBlocked<T>(write: () => Promise<T>): Promise<T | null> {
  try {
    return await write();
  } catch (error) {
    if (isBlocked(error)) return null;
    throw error;
  }
}

/**
 * Members that an attempt has written before it died have succeeded, and batches that wait for them are woken: if they were
 * released as pending they could expire (invariant 2). Resources that the attempt has left uncommitted are resolved.
 */
async function finishWritten(context: ActivityContext, members: readonly PendingMember[]): Promise<void> {
  const { database } = context;
  const owners = await readBatches(database, [...new Set(members.map((member) => member.batchId))]);
  const indexesOf = byBatch(members);
  for (const owner of owners) {
    showProgress();
    for (const some of parts(indexesOf.get(owner._id) ?? [], RESOURCES_PER_SLICE)) {
      const { created } = await finishApplied(database, owner, some);
      await wakeWaiting(context, created);
    }
  }
}

/** A member may miss a reference that was there when it arrived: its own batch registers it at its next check. */
async function storeOutcomes(
  { database }: ActivityContext,
  faulty: ReadonlyMap<WriteBatchDocument, ReadonlyMap<number, StoredOutcome>>,
  results: ReadonlyMap<WorkItem, WriteResult>,
): Promise<void> {
  const resultsOf = new Map<WriteBatchDocument, [WorkItem, WriteResult][]>();
  for (const result of results) appendTo(resultsOf, result[0].batch, result);
  // one after the other: of the writes of an attempt that stops, one may land late
  for (const [owner, faults] of faulty) {
    showProgress();
    await storeResults(database, owner, resultsOf.get(owner) ?? [], new Map(faults));
  }
}

const byBatch = (members: readonly PendingMember[]): Map<string, number[]> => {
  const indexes = new Map<string, number[]>();
  for (const { batchId, index } of members) appendTo(indexes, batchId, index);
  return indexes;
};

/** Releases the claims that an earlier attempt has left. */
export async function recoverClaims(context: ActivityContext, batch: BatchDocument): Promise<void> {
  const { claimOwners = [], claims: old = [] } = batch;
  if (claimOwners.length === 0 && old.length === 0) return;
  const members = await claimedBy(context.database, batch);
  // the version before this one may have removed the items from the pending store already without waking any batch
  await wakeWaiting(
    context,
    [...members, ...old].map((member) => member.key),
  );
  await finishWritten(context, members);
  await releaseClaims(context, batch, members, new Set([...claimOwners, ...old.map(({ batchId }) => batchId)]));
}

/**
 * Terminal members leave the pending store, the claims of the others are released; then other batches are signalled, and check themselves. The
 * note of the claims is removed last: if an attempt repeats this, it signals them again.
 * @param signalled the batches to signal; `finished`: those of terminal members only. For the others nothing has changed: after a signal, they would only try the same again.
 */
async function releaseClaims(
  context: ActivityContext,
  batch: BatchDocument,
  members: readonly PendingMember[],
  signalled: ReadonlySet<string> | 'finished',
): Promise<void> {
  const { database } = context;
  const owners = await readBatches(database, [...new Set(members.map((member) => member.batchId))]);
  const alive = new Set(owners.map((owner) => owner._id));
  const finished = members.filter((member) => !alive.has(member.batchId));
  const open: PendingMember[] = [];
  const indexesOf = byBatch(members);
  const pending = new Set<string>();
  await forEachConcurrently(owners, OWNERS_AT_ONCE, async (owner) => {
    showProgress();
    const outcomes = await readOutcomes(database, owner, indexesOf.get(owner._id) ?? []);
    for (const [index, { status }] of outcomes) if (status === 'pending') pending.add(`${owner._id}/${index}`);
  });
  for (const member of members) {
    if (!alive.has(member.batchId)) continue;
    (pending.has(`${member.batchId}/${member.index}`) ? open : finished).push(member);
  }
  await dropPending(database, finished);
  await unclaimPending(database, batch, open);
  const toSignal = new Set(signalled === 'finished' ? finished.map((member) => member.batchId) : signalled);
  toSignal.delete(batch._id);
  await forEachConcurrently([...toSignal], OWNERS_AT_ONCE, async (owner) => {
    showProgress();
    await signalAvailable(context, owner, []);
  });
  await recordClaims(database, batch, new Set());
}

async function loadMembers(
  context: ActivityContext,
  owners: readonly BatchDocument[],
  members: readonly PendingMember[],
) {
  const { database, schemas: catalog } = context;
  const work: WorkItem[] = [];
  const schemas = new Map<string, LoadedSchema>();
  const faulty = new Map<WriteBatchDocument, Map<number, StoredOutcome>>();
  const indexesOf = byBatch(members);
  await forEachConcurrently(owners.map(ofWrite), OWNERS_AT_ONCE, async (owner) => {
    showProgress();
    const indexes = indexesOf.get(owner._id) ?? [];
    const outcomes = await readOutcomes(database, owner, indexes);
    const pending = indexes.filter((index) => outcomes.get(index)?.status === 'pending');
    const schema = await catalog.current(owner.schemaDefinitionId);
    if (schema === null) {
      faulty.set(owner, new Map(pending.map((index) => [index, failedOutcome(outcomes.get(index), [SCHEMA_GONE])])));
      return;
    }
    schemas.set(schema.definition.id, schema);
    const loaded = await toWorkItems(context, owner, schema, await readItems(database, owner, pending), outcomes);
    for (const item of loaded.work) work.push(item);
    const faults = [...loaded.faulty].map(
      ([index, errors]) => [index, failedOutcome(outcomes.get(index), errors)] as const,
    );
    faulty.set(owner, new Map(faults));
  });
  // Items that wake together are applied in the order in which they became pending.
  work.sort((a, b) => pendingSince(a) - pendingSince(b) || a.batch._id.localeCompare(b.batch._id) || a.index - b.index);
  return { work, schemas: [...schemas.values()], faulty };
}

const pendingSince = (item: WorkItem): number => item.outcome?.pendingSince?.getTime() ?? 0;
