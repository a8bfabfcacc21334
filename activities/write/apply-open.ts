import { type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import { type Attempt, blocked } from '../../isolation/attempts/attempt.ts';
import { endEarlierAttempts, type Writable } from '../../isolation/attempts/earlier-attempts.ts';
import { withIntent } from '../../isolation/intents/with-intent.ts';
import { wakeWaiting } from '../../services/batches/wake-waiting.ts';
import type { LoadedSchema } from '../../services/definitions/schema-catalog.ts';
import { fieldsOfOwnKind, linksOf } from '../../services/writes/own-links.ts';
import { toWorkItems, type WorkItem } from '../../services/writes/work-items.ts';
import { failedOutcome, SCHEMA_GONE } from '../../services/writes/write-outcome.ts';
import type { WriteBatchDocument } from '../../store/batches/batches.ts';
import type { Controllable } from '../../store/batches/halts.ts';
import { type Item, type ItemPages, itemsOfPages } from '../../store/items/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import { registerPending, releasePending } from '../../store/items/pending-items.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import type { ActivityContext } from '../activity-context.ts';
import type { ControlCheck } from '../control/control-check.ts';
import { finishApplied } from '../finish/finish-open-items.ts';
import { applySlices } from './apply-slices.ts';
import { checkWrites } from './check-writes.ts';
import { createdKeys, storeFailures, storeResults } from './item-outcomes.ts';
import { readStoredState, type StoredState, type WriteResult, type Writing } from './write-items.ts';

/** One attempt to apply items of a batch. */
export interface Applying {
  readonly context: ActivityContext;
  readonly attempt: Attempt;
  readonly control: ControlCheck;
  readonly batch: WriteBatchDocument;
  /** The documents that any attempt of the activity may write. */
  readonly writable: () => Promise<readonly Writable[]>;
  /** The stored state of the items. */
  readonly before: ReadonlyMap<number, StoredOutcome>;
  /** The pages that hold them. */
  readonly pages: ItemPages;
}

/** Outcomes of open items, and the indexes of the items that were not begun. */
export interface Applied {
  readonly outcomes: ReadonlyMap<number, StoredOutcome>;
  readonly left: readonly number[];
  /** They were not begun because the batch has to be planned again. */
  readonly isOutdated?: true;
}

const NOTHING: Applied = { outcomes: new Map(), left: [] };

/**
 * Applies open items slice by slice until the batch is suspended or cancelled; each slice is complete, with its outcomes, before the
 * next one begins.
 * @param links the references that the items were planned by; see `Plan.links`.
 */
export async function applyOpen(applying: Applying, open: readonly number[], links?: string): Promise<Applied> {
  if (open.length === 0) return NOTHING;
  const { context, attempt, control, batch, writable } = applying;
  const schema = await plannedVersion(context, batch, links);
  // only an intent is laid for a batch that may be halted meanwhile: nothing else is written
  const laysIntent = schema !== null && schema !== 'outdated' && !batch.validateOnly;
  if (!laysIntent && (await control.inTime()) !== null) return { outcomes: new Map(), left: open };
  // no intent is laid for these, under which outcomes would be read again
  if (schema === null || schema === 'outdated')
    assertKnown(applying, await readOutcomes(context.database, batch, open));
  if (schema === 'outdated') {
    await endEarlierAttempts(context.database, attempt, batch, writable);
    return { ...(await finishOutdated(context, batch, open)), isOutdated: true };
  }
  const items = await releasedItems(applying, open);
  if (schema === null) return failAll(applying, items);
  return batch.validateOnly ? checkAll(applying, schema, items) : applyAll(applying, schema, items);
}

/**
 * Applies nothing, but completes what an earlier attempt has written before it died: it stores the outcomes and wakes batches that wait
 * for the resources (invariant 5).
 */
export async function finishBegun(
  context: ActivityContext,
  batch: WriteBatchDocument,
  open: readonly number[],
): Promise<Applied> {
  const { outcomes, created } = await finishApplied(context.database, batch, open);
  await wakeWaiting(context, created);
  return { outcomes, left: open.filter((index) => !outcomes.has(index)) };
}

/**
 * As `finishBegun`, before the rest is planned again. A new plan leaves out pending items, which the workflow already counts. An earlier
 * attempt may have died after it stored items as pending, so they are reported here (invariant 1).
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
 * The version of the schema definition to apply items by; null if the definition was deleted. `outdated` if its references among the
 * items differ from those the batch was planned by: items that refer to each other could then be applied at the same time or in the
 * wrong order, and miss resources of their own batch. The version is checked again once the intent is laid, and cannot change after.
 */
async function plannedVersion(
  { schemas }: ActivityContext,
  batch: WriteBatchDocument,
  links: string | undefined,
): Promise<LoadedSchema | null | 'outdated'> {
  const definitionId = batch.schemaDefinitionId;
  const isPlannedBy = async (schema: LoadedSchema | null): Promise<boolean> =>
    schema === null || links === undefined || links === linksOf(await fieldsOfOwnKind(schemas, schema));
  const current = await schemas.current(definitionId);
  if (await isPlannedBy(current)) return current;
  // the worker that made the plan may know a later version than this one has cached
  const latest = await schemas.latest(definitionId);
  return (await isPlannedBy(latest)) ? latest : 'outdated';
}

/** Takes items from their pages, and removes them from the pending store, without those that another batch is applying together with its own. */
async function releasedItems({ context, batch, before, pages }: Applying, open: readonly number[]): Promise<Item[]> {
  const items = itemsOfPages(pages, batch, open);
  const pending = items.flatMap(({ index, externalId }) => {
    if (externalId === null || before.get(index)?.status !== 'pending') return [];
    return [{ index, key: resourceKey(batch, batch.schemaDefinitionId, externalId) }];
  });
  const claimed = await releasePending(context.database, batch, pending);
  return items.filter(({ index }) => !claimed.has(index));
}

/** Stores the outcomes that items would have. The first ones that are stored stay, whatever later attempts find. */
async function checkAll({ context, batch }: Applying, schema: LoadedSchema, items: readonly Item[]): Promise<Applied> {
  const outcomes = await checkWrites(context, batch, schema, items);
  await writeOutcomes(context.database, batch, outcomes);
  return { outcomes, left: [] };
}

async function failAll({ context, batch, before }: Applying, items: readonly Item[]): Promise<Applied> {
  const outcomes = new Map(
    items.map(({ index, faults }) => [
      index,
      failedOutcome(before.get(index), faults.length > 0 ? faults : [SCHEMA_GONE]),
    ]),
  );
  await writeOutcomes(context.database, batch, outcomes);
  return { outcomes, left: [] };
}

async function applyAll(applying: Applying, schema: LoadedSchema, items: readonly Item[]): Promise<Applied> {
  const { context, attempt, control, batch, writable, before } = applying;
  const { database } = context;
  const outcomes = new Map<number, StoredOutcome>();
  const { work, faulty } = await toWorkItems(context, batch, schema, items, before);
  if (faulty.size > 0) {
    if ((await control.inTime()) !== null) return { outcomes, left: items.map(({ index }) => index) };
    await assertNotOutdated(context, schema);
  }
  for (const [index, errors] of faulty) outcomes.set(index, failedOutcome(before.get(index), errors));
  await writeOutcomes(database, batch, outcomes);
  if (work.length === 0) return { outcomes, left: [] };
  const isFirst = before.size === 0 && faulty.size === 0;
  const created: ResourceKey[] = [];
  const writing = { context, batch, attempt, storeFailures: storeFailures(database) };
  const left = await withIntent(context, attempt, batch, [schema], work, writable, {
    read: (now) => readOfOwn(applying, writing, work, now),
    write: (stored) =>
      applySlices(writing, control, work, stored, async (results) => {
        for (const [index, outcome] of await completeSlice(applying, results, isFirst)) outcomes.set(index, outcome);
        created.push(...createdKeys(results));
      }),
    after: () => wakeWaiting(context, created),
  });
  return { outcomes, left: left.map(({ index }) => index) };
}

/** What is stored, under the intent. @param now whether the batch may be worked on. @throws see `assertKnown`. */
async function readOfOwn(
  applying: Applying,
  writing: Writing,
  work: readonly WorkItem[],
  now: Controllable | null,
): Promise<StoredState> {
  applying.control.asRead(now);
  const stored = await readStoredState(writing, work);
  assertKnown(applying, new Map([...stored.outcomes].map(([{ index }, outcome]) => [index, outcome])));
  return stored;
}

/**
 * @throws a retryable failure if items have an outcome that was not read before: they were taken as new (`isFirst` of an attempt goes by what
 * Temporal says, which after a reset is not all), or another attempt was at work meanwhile. Pending ones have to be released first.
 */
function assertKnown({ before }: Applying, outcomes: ReadonlyMap<number, StoredOutcome>): void {
  if ([...outcomes.keys()].some((index) => !before.has(index))) throw blocked('another attempt has stored outcomes');
}

/**
 * Faults that come of the schema definition, which may be outdated: what was found under an intent is by its present version.
 * @throws a retryable failure if the definition has changed since it was loaded.
 */
async function assertNotOutdated({ schemas }: ActivityContext, { definition }: LoadedSchema): Promise<void> {
  const latest = await schemas.latest(definition.id);
  if (latest?.definition.versionNumber !== definition.versionNumber) throw blocked('the schema definition has changed');
}

/** Stores the outcomes of items, and registers those that have become pending. @param isFirst see `writeOutcomes`. */
async function completeSlice(
  { context: { database, checkpoint }, attempt, batch }: Applying,
  results: ReadonlyMap<WorkItem, WriteResult>,
  isFirst: boolean,
): Promise<Map<number, StoredOutcome>> {
  const outcomes = new Map<number, StoredOutcome>();
  // a later attempt may already have stored other outcomes
  attempt.assertInTime();
  const pending = await storeResults(database, batch, results, outcomes, isFirst);
  await checkpoint?.('outcomes-stored', batch._id);
  attempt.assertInTime();
  await registerPending(database, batch, attempt.id, pending);
  await checkpoint?.('registered', batch._id);
  return outcomes;
}
