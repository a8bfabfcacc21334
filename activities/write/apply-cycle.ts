import { ofWrite } from '../../domain/batch/batch.ts';
import { type Attempt, isBlocked } from '../../isolation/attempts/attempt.ts';
import { claimedItems } from '../../isolation/attempts/earlier-attempts.ts';
import { withIntent } from '../../isolation/intents/with-intent.ts';
import { signalAvailable, wakeWaiting } from '../../services/batches/wake-waiting.ts';
import type { LoadedSchema } from '../../services/definitions/schema-catalog.ts';
import { type BatchDocument, readBatches, type WriteBatchDocument } from '../../store/batches/batches.ts';
import { haltOf } from '../../store/batches/halts.ts';
import { recordClaims } from '../../store/batches/run-state.ts';
import { readItems } from '../../store/items/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import type { PendingMember } from '../../store/items/pending-documents.ts';
import { claimedBy, claimPending, dropPending, unclaimPending } from '../../store/items/pending-items.ts';
import { adoptOldDependencies } from '../../store/migrations/old-dependencies.ts';
import { slices } from '../../store/mongodb/slices.ts';
import type { ActivityContext } from '../activity-context.ts';
import { RESOURCES_PER_SLICE } from '../control/control-check.ts';
import { finishApplied } from '../finish/finish-leftovers.ts';
import { createdKeys, failedOutcome, SCHEMA_GONE, storeFailures, storeResults } from './item-outcomes.ts';
import { toWorkItems, type WorkItem } from './work-items.ts';
import { type WriteResult, writeItems } from './write-items.ts';

/**
 * Carries out pending items of several batches together. They are claimed first, so that their own batches leave them alone;
 * whose they are is noted before on the batch that does it, so that a later delivery gives back what an earlier one left claimed,
 * and tells the other batches. Nothing happens where another batch has claimed a member, one of theirs is suspended or cancelled, or
 * others are at work on what the members need: nobody holds them then, so that their deadlines do not wait.
 * @returns false in these cases: when that is over, no other batch may check these members again.
 */
export async function applyCycle(
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
    await settleClaims(context, batch, members, owners);
    return false;
  }
  const { work, schemas, faulty } = await loadMembers(context, batches, members);
  const claimed = () => claimedItems(database, batch);
  const created = await unlessBlocked(() =>
    withIntent(context, attempt, batch, schemas, work, claimed, async () => {
      const results = await writeItems({ context, batch, attempt, storeFailures: storeFailures(database) }, work);
      attempt.assertInTime();
      await storeOutcomes(context, faulty, results);
      return createdKeys(results);
    }),
  );
  if (created === null) {
    // A later delivery has given these claims back, and may have others.
    attempt.assertInTime();
    await finishWritten(context, members);
    await settleClaims(context, batch, members, 'settled');
    return false;
  }
  await checkpoint?.('outcomes-stored', batch._id);
  await wakeWaiting(context, created);
  // A later delivery has given these claims back, and may have others.
  attempt.assertInTime();
  await settleClaims(context, batch, members, owners);
  return true;
}

/** @returns null where others are at work on what it needs. */
async function unlessBlocked<T>(write: () => Promise<T>): Promise<T | null> {
  try {
    return await write();
  } catch (error) {
    if (isBlocked(error)) return null;
    throw error;
  }
}

/**
 * Members that were written, by an attempt that did not come to store it, have succeeded, and who waits for them is woken: given
 * back as pending they could expire (invariant 2). What the attempt has left hidden goes.
 */
async function finishWritten(context: ActivityContext, members: readonly PendingMember[]): Promise<void> {
  const { database } = context;
  const owners = await readBatches(database, [...new Set(members.map((member) => member.batchId))]);
  for (const owner of owners) {
    const indexes = members.filter((member) => member.batchId === owner._id).map((member) => member.index);
    for (const some of slices(indexes, RESOURCES_PER_SLICE)) {
      const { created } = await finishApplied(database, owner, some);
      await wakeWaiting(context, created);
    }
  }
}

/** A member may miss something new, which was there when it came: its own batch registers for that when it checks. */
async function storeOutcomes(
  { database }: ActivityContext,
  faulty: ReadonlyMap<WriteBatchDocument, ReadonlyMap<number, StoredOutcome>>,
  results: ReadonlyMap<WorkItem, WriteResult>,
): Promise<void> {
  for (const [owner, faults] of faulty) {
    const own = [...results].filter(([item]) => item.batch === owner);
    await storeResults(database, owner, own, new Map(faults));
  }
}

/** Ends what an earlier delivery left claimed. */
export async function recoverClaims(context: ActivityContext, batch: BatchDocument): Promise<void> {
  const { claimOwners = [], claims: old = [] } = batch;
  if (claimOwners.length === 0 && old.length === 0) return;
  await adoptOldDependencies(
    context.database,
    old.map((member) => member.key),
  );
  const members = await claimedBy(context.database, batch);
  // those of the version before this one may have left the pending store already, and nobody been woken for them
  await wakeWaiting(
    context,
    [...members, ...old].map((member) => member.key),
  );
  await finishWritten(context, members);
  await settleClaims(context, batch, members, new Set([...claimOwners, ...old.map(({ batchId }) => batchId)]));
}

/**
 * Members that are settled leave the pending store, the others are given back; the batches of `told` look for themselves. The
 * note of them goes last: whoever does this again tells them again.
 * @param told `settled`: those of settled members. For the others nothing has changed: told of it, they would only try the same.
 */
async function settleClaims(
  context: ActivityContext,
  batch: BatchDocument,
  members: readonly PendingMember[],
  told: ReadonlySet<string> | 'settled',
): Promise<void> {
  const { database } = context;
  const owners = await readBatches(database, [...new Set(members.map((member) => member.batchId))]);
  const alive = new Set(owners.map((owner) => owner._id));
  const settled = members.filter((member) => !alive.has(member.batchId));
  const open: PendingMember[] = [];
  for (const owner of owners) {
    const own = members.filter((member) => member.batchId === owner._id);
    const outcomes = await readOutcomes(
      database,
      owner,
      own.map((member) => member.index),
    );
    for (const member of own) (outcomes.get(member.index)?.status === 'pending' ? open : settled).push(member);
  }
  await dropPending(database, settled);
  await unclaimPending(database, batch, open);
  const toTell = told === 'settled' ? new Set(settled.map((member) => member.batchId)) : told;
  for (const owner of toTell) if (owner !== batch._id) await signalAvailable(context, owner, []);
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
  for (const owner of owners.map(ofWrite)) {
    const indexes = members.filter((member) => member.batchId === owner._id).map((member) => member.index);
    const outcomes = await readOutcomes(database, owner, indexes);
    const pending = indexes.filter((index) => outcomes.get(index)?.status === 'pending');
    const schema = await catalog.current(owner.schemaDefinitionId);
    if (schema === null) {
      faulty.set(owner, new Map(pending.map((index) => [index, failedOutcome(outcomes.get(index), [SCHEMA_GONE])])));
      continue;
    }
    schemas.set(schema.definition.id, schema);
    const loaded = await toWorkItems(context, owner, schema, await readItems(database, owner, pending), outcomes);
    work.push(...loaded.work);
    const faults = [...loaded.faulty].map(
      ([index, errors]) => [index, failedOutcome(outcomes.get(index), errors)] as const,
    );
    faulty.set(owner, new Map(faults));
  }
  // Items that wake together are applied in the order in which they became pending.
  work.sort((a, b) => pendingSince(a) - pendingSince(b) || a.batch._id.localeCompare(b.batch._id) || a.index - b.index);
  return { work, schemas: [...schemas.values()], faulty };
}

const pendingSince = (item: WorkItem): number => item.outcome?.pendingSince?.getTime() ?? 0;
