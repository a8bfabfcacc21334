import { activityInfo } from '@temporalio/activity';
import { ofWrite, waitSecondsOf } from '../domain/batch/batch.ts';
import { type ItemError, isOpen } from '../domain/batch/outcome.ts';
import { tallyOf } from '../domain/batch/tally.ts';
import { appendTo } from '../domain/collections/append-to.ts';
import { quoted, shortened } from '../domain/json/shortened.ts';
import { MAX_ERRORS_PER_ITEM, MAX_MISSING_PER_OUTCOME } from '../domain/limits.ts';
import type { BoundReference } from '../domain/write/decide-writes.ts';
import { fieldOf } from '../domain/write/references-in.ts';
import { type ResourceKey, resourceKey } from '../domain/write/resource.ts';
import { type Attempt, isBlocked, thisAttempt } from '../isolation/attempts/attempt.ts';
import { endEarlierAttempts, type Writable } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { withIntent } from '../isolation/intents/with-intent.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import type { LoadedSchema } from '../services/definitions/schema-catalog.ts';
import { readBatch, type WriteBatchDocument } from '../store/batches/batches.ts';
import { type Item, keysOfItems, readItems } from '../store/items/item-pages.ts';
import { type NewList, newList, storeLists } from '../store/items/key-lists.ts';
import { hasWaited, type MissingKey, readOutcomes, type StoredOutcome } from '../store/items/outcomes.ts';
import { type PendingRegistration, registerPending, releasePending } from '../store/items/pending-items.ts';
import { fenceOutcomes, writeOutcomes } from '../store/items/write-outcomes.ts';
import { currentAttempt } from '../store/mongodb/command-time.ts';
import type { ItemsOfBatch, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { createdKeysOf, finishApplied } from './finish/finish-leftovers.ts';
import { applySlices } from './write/apply-slices.ts';
import { fieldsOfOwnKind, linksOf } from './write/own-links.ts';
import { toWorkItems, type WorkItem } from './write/work-items.ts';
import type { WriteResult } from './write/write-items.ts';

/** Attempts of an activity on pending items, after which those that are blocked are pending as before. */
const ATTEMPTS_BLOCKED = 3;

/**
 * Carries out items of an upload or patch: decide, lay intents, look again, write, store outcomes, wake who waits. Every step
 * can be repeated. Items that are settled already are counted, and whoever waits for what they have created is woken: the
 * delivery that settled them may have died before it did that (invariant 5).
 */
export async function applyItems(context: ActivityContext, input: ItemsOfBatch): Promise<WorkResult> {
  const attempt = thisAttempt();
  const { startToCloseTimeoutMs: limitMs, priority } = activityInfo();
  return context.semaphore({
    turn: priority?.fairnessKey ?? '',
    limitMs,
    work: () => applyOnTurn(context, attempt, input),
  });
}

async function applyOnTurn(context: ActivityContext, attempt: Attempt, input: ItemsOfBatch): Promise<WorkResult> {
  const { database } = context;
  // where many wait for a slow MongoDB: one whose time is over would only hold up the others
  attempt.assertInTime();
  const control = new ControlCheck(database, input);
  const found = await readBatch(database, input.batchId);
  const halt = control.asRead(found);
  if (found === null || found.run !== input.run) return { tally: tallyOf([]), pending: [] };
  const batch = ofWrite(await takeOverRun(database, found, attempt));
  const writable = async () => [{ batch, items: await keysOfItems(database, batch, input.indexes) }];
  if (batch.execution?.follows) await fenceOutcomes(database, batch, input.indexes);
  // where there was none before, it is enough to look once the intent is laid
  if (!attempt.isFirst || halt !== null) await endEarlierAttempts(database, attempt, batch, writable);
  const before = await readOutcomes(database, batch, input.indexes);
  await wakeWaiting(context, await createdKeysOf(database, batch, before));
  const open = input.indexes.filter((index) => isOpen(before.get(index)?.status));
  let applied: Applied;
  try {
    applied =
      halt === null
        ? await applyOpen({ context, attempt, control, batch, writable }, open, before, input.links)
        : await finishBegun(context, batch, open);
  } catch (error) {
    if (!isBlocked(error) || !input.requeuesBlocked || attempt.number < ATTEMPTS_BLOCKED) throw error;
    applied = await requeue(context, attempt, batch, open);
  }
  const { outcomes, left } = applied;
  // of a run that is over nobody keeps anything
  const kept = new Set(control.isGone ? [] : left);
  const done = workResult(
    input.indexes.filter((index) => !kept.has(index)),
    new Map([...before, ...outcomes]),
  );
  return kept.size > 0 ? { ...done, left: [...kept], ...(applied.isOutdated && { isOutdated: true }) } : done;
}

/** What has become of open items, and those of them that were not begun. */
interface Applied {
  readonly outcomes: ReadonlyMap<number, StoredOutcome>;
  readonly left: readonly number[];
  readonly isOutdated?: true;
}

/**
 * Nothing is begun any more. What an earlier delivery has written, and died before it could say so, is told all the same: others
 * may wait for it (invariant 5).
 */
async function finishBegun(
  context: ActivityContext,
  batch: WriteBatchDocument,
  open: readonly number[],
): Promise<Applied> {
  const { outcomes, created } = await finishApplied(context.database, batch, open);
  await wakeWaiting(context, created);
  return { outcomes, left: open.filter((index) => !outcomes.has(index)) };
}

/**
 * As `finishBegun`, where what is left is planned again: that leaves out what is pending, as the workflow knows of it. So what an
 * earlier attempt has made pending, and died before it could say so, is said here (invariant 1).
 */
async function finishOutdated(
  context: ActivityContext,
  batch: WriteBatchDocument,
  open: readonly number[],
): Promise<Applied> {
  const { outcomes, left } = await finishBegun(context, batch, open);
  const stored = await readOutcomes(context.database, batch, left);
  const isPending = (index: number): boolean => stored.get(index)?.status === 'pending';
  return { outcomes: new Map([...stored, ...outcomes]), left: left.filter((index) => !isPending(index)) };
}

/**
 * Others are at work on what pending items need. What was written is told (invariant 5), what has failed has; the rest is pending
 * as before, and nobody finds it until its batch has looked again, which it does.
 */
async function requeue(
  context: ActivityContext,
  attempt: Attempt,
  batch: WriteBatchDocument,
  open: readonly number[],
): Promise<Applied> {
  const { database } = context;
  attempt.assertInTime();
  const { created } = await finishApplied(database, batch, open);
  await wakeWaiting(context, created);
  return { outcomes: await readOutcomes(database, batch, open), left: [] };
}

export const SCHEMA_GONE: ItemError = { code: 'not_found', message: 'the schema definition was deleted' };

/** Counts items; one without an outcome counts as queued. */
export function workResult(indexes: readonly number[], outcomes: ReadonlyMap<number, StoredOutcome>): WorkResult {
  const pending = new Map<number, number[]>();
  for (const index of indexes) {
    const outcome = outcomes.get(index);
    if (outcome?.status !== 'pending') continue;
    const deadline = outcome.expiresAt.getTime();
    appendTo(pending, deadline, index);
  }
  const waited = indexes.some((index) => {
    const outcome = outcomes.get(index);
    return outcome?.hasWaited !== undefined || outcome?.waitedFor !== undefined;
  });
  return {
    tally: tallyOf(indexes.map((index) => outcomes.get(index) ?? { status: 'queued' as const })),
    pending: [...pending].map(([expiresAt, group]) => ({ expiresAt, indexes: group })),
    ...(waited && { hasWaited: true }),
  };
}

interface Applying {
  readonly context: ActivityContext;
  readonly attempt: Attempt;
  readonly control: ControlCheck;
  readonly batch: WriteBatchDocument;
  /** What an attempt of the activity may write. */
  readonly writable: () => Promise<readonly Writable[]>;
}

/** Applies open items slice after slice, each of them complete, as long as nobody has suspended or cancelled the batch. */
async function applyOpen(
  { context, attempt, control, batch, writable }: Applying,
  open: readonly number[],
  before: ReadonlyMap<number, StoredOutcome>,
  links: string | undefined,
): Promise<Applied> {
  const { database, schemas } = context;
  if (open.length === 0) return { outcomes: new Map(), left: [] };
  const definitionId = batch.schemaDefinitionId;
  let schema = await schemas.current(definitionId);
  // the plan may know a later version than this worker
  if (await isPlannedOtherwise(schemas, schema, links)) schema = await schemas.latest(definitionId);
  // What another version lets refer to each other may be at work side by side, or come later: an item would miss what is in its own
  // batch. The version is checked once more under the intent: from there on it stays.
  if (await isPlannedOtherwise(schemas, schema, links)) {
    await endEarlierAttempts(database, attempt, batch, writable);
    return { ...(await finishOutdated(context, batch, open)), isOutdated: true };
  }
  const read = await readItems(database, batch, open);
  const waiting = pendingKeys(batch, read, before);
  // An item that another batch applies together with its own is left to it.
  const claimed = await releasePending(database, batch, waiting);
  const items = read.filter((item) => !claimed.has(item.index));
  const outcomes = new Map<number, StoredOutcome>();
  if (schema === null) {
    for (const { index } of items) outcomes.set(index, failedOutcome(before.get(index), [SCHEMA_GONE]));
    await writeOutcomes(database, batch, outcomes);
    return { outcomes, left: [] };
  }
  const { work, faulty } = await toWorkItems(context, batch, schema, items, before);
  for (const [index, errors] of faulty) outcomes.set(index, failedOutcome(before.get(index), errors));
  await writeOutcomes(database, batch, outcomes);
  if (work.length === 0) return { outcomes, left: [] };
  const isFirst = before.size === 0 && faulty.size === 0;
  const created: ResourceKey[] = [];
  const left = await withIntent(context, attempt, batch, [schema], work, writable, () =>
    applySlices({ context, batch, attempt, settle: failItems(database) }, control, work, async (results) => {
      const settled = await completeSlice(context, attempt, batch, results, isFirst);
      for (const [index, outcome] of settled) outcomes.set(index, outcome);
      created.push(...createdKeys(results));
    }),
  );
  await wakeWaiting(context, created);
  return { outcomes, left: left.map(({ index }) => index) };
}

/** Whether items were planned by other references among each other than this version of their definition has. */
async function isPlannedOtherwise(
  schemas: ActivityContext['schemas'],
  schema: LoadedSchema | null,
  links: string | undefined,
): Promise<boolean> {
  return schema !== null && links !== undefined && links !== linksOf(await fieldsOfOwnKind(schemas, schema));
}

/** Stores what has become of items, and registers those that wait. @param isFirst see `writeOutcomes`. */
async function completeSlice(
  { database, checkpoint }: ActivityContext,
  attempt: Attempt,
  batch: WriteBatchDocument,
  results: ReadonlyMap<WorkItem, WriteResult>,
  isFirst: boolean,
): Promise<Map<number, StoredOutcome>> {
  const outcomes = new Map<number, StoredOutcome>();
  // A later delivery may have come to other outcomes by now.
  attempt.assertInTime();
  const pending = await storeResults(database, batch, results, outcomes, isFirst);
  await checkpoint?.('outcomes-stored', batch._id);
  attempt.assertInTime();
  await registerPending(database, batch, attempt.id, pending);
  await checkpoint?.('registered', batch._id);
  return outcomes;
}

/**
 * Stores what has become of items of one batch; all that a pending one misses, where its outcome cannot hold it, before the
 * outcome that says so.
 * @param outcomes what is stored beside; the outcomes of the results are added.
 * @param isFirst see `writeOutcomes`.
 * @returns the items that wait, to be registered.
 */
export async function storeResults(
  database: ActivityContext['database'],
  batch: WriteBatchDocument,
  results: Iterable<readonly [WorkItem, WriteResult]>,
  outcomes: Map<number, StoredOutcome>,
  isFirst = false,
): Promise<PendingRegistration[]> {
  const pending: PendingRegistration[] = [];
  const lists: NewList[] = [];
  for (const [item, result] of results) {
    const outcome = toOutcome(batch, item, result);
    outcomes.set(item.index, outcome);
    if (outcome.status !== 'pending' || result.kind !== 'missing') continue;
    const missing = [...new Set(result.missing.map(({ key }) => key))];
    const isListed = (outcome.missingTotal ?? 0) > MAX_MISSING_PER_OUTCOME;
    const listed = isListed ? newList(`${batch._id}/${item.index}`, missing, batch.run) : undefined;
    if (listed) {
      outcome.missingList = listed.list;
      lists.push(listed);
    }
    pending.push({ key: item.key, index: item.index, missing, list: listed?.list });
  }
  await storeLists(database, lists);
  await writeOutcomes(database, batch, outcomes, isFirst);
  return pending;
}

/** Stores what items have failed with; those that wait are none of these. */
export const failItems =
  (database: ActivityContext['database']) =>
  async (results: ReadonlyMap<WorkItem, WriteResult>): Promise<void> => {
    for (const batch of new Set([...results.keys()].map((item) => item.batch))) {
      const own = [...results].flatMap(([item, result]) =>
        item.batch === batch ? [[item.index, toOutcome(batch, item, result)] as const] : [],
      );
      await writeOutcomes(database, batch, new Map(own.filter(([, { status }]) => status === 'failed')));
    }
  };

function pendingKeys(batch: WriteBatchDocument, items: readonly Item[], outcomes: ReadonlyMap<number, StoredOutcome>) {
  return items.flatMap(({ index, externalId }) => {
    if (externalId === null || outcomes.get(index)?.status !== 'pending') return [];
    return [{ index, key: resourceKey(batch, batch.schemaDefinitionId, externalId) }];
  });
}

/** Keys that items brought into being; found again by a later delivery, which may have to wake whom the first one did not. */
export function createdKeys(results: ReadonlyMap<WorkItem, WriteResult>): ResourceKey[] {
  const keys = [...results].flatMap(([item, result]) => {
    const action =
      result.kind === 'settled' ? result.outcome.action : result.kind === 'written' ? result.action : undefined;
    return action === 'created' ? [item.key] : [];
  });
  return [...new Set(keys)];
}

const attemptsOf = (before: StoredOutcome | undefined): number =>
  before?.status === 'pending' ? before.attempts : (before?.attempts ?? 0) + 1;

export function failedOutcome(before: StoredOutcome | undefined, errors: readonly ItemError[]): StoredOutcome {
  return { status: 'failed', errors: [...errors], attempts: attemptsOf(before), ...hasWaited(before) };
}

/** The outcome that a result becomes: what misses something waits where the batch lets it. */
export function toOutcome(batch: WriteBatchDocument, item: WorkItem, result: WriteResult): StoredOutcome {
  const attempts = attemptsOf(item.outcome);
  const waited = hasWaited(item.outcome);
  switch (result.kind) {
    case 'settled':
      return result.outcome;
    case 'written':
      return { status: 'succeeded', action: result.action, attempts, ...waited };
    case 'failed':
      return { status: 'failed', errors: [...result.errors], attempts, ...waited };
    case 'missing': {
      const each = eachOnce(result.missing);
      const missing = each.slice(0, MAX_MISSING_PER_OUTCOME).map(toMissingKey);
      const missed = { missing, missingTotal: each.length };
      const waitSeconds = waitSecondsOf(batch);
      if (waitSeconds > 0) {
        const since = item.outcome?.pendingSince ?? currentAttempt()?.now() ?? new Date();
        const expiresAt = item.outcome?.expiresAt ?? new Date(since.getTime() + waitSeconds * 1000);
        const references = item.references.length;
        return { status: 'pending', ...missed, references, pendingSince: since, expiresAt, attempts, ...waited };
      }
      const errors = result.missing.slice(0, MAX_ERRORS_PER_ITEM).map(missingError);
      return { status: 'failed', ...missed, errors, attempts };
    }
  }
}

function toMissingKey({ key, schemaDefinitionId, schemaName, externalId }: BoundReference): MissingKey {
  return { key, schemaName, externalId, ...(schemaDefinitionId !== undefined && { schemaDefinitionId }) };
}

/** A schema definition that is not there yet is one key for all of its resources. */
function eachOnce(references: readonly BoundReference[]): BoundReference[] {
  return [...new Map(references.map((reference) => [`${reference.key}\n${reference.externalId}`, reference])).values()];
}

function missingError(reference: BoundReference): ItemError {
  const field = fieldOf(reference);
  const message = `${quoted(field)} refers to ${reference.schemaName} "${reference.externalId}", which does not exist`;
  return { code: 'missing_dependency', message, field: shortened(field) };
}
