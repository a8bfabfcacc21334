import { isOpen } from '../../domain/batch/outcome.ts';
import { stronglyConnectedComponents } from '../../domain/collections/components.ts';
import type { ResourceState, WriteDecision } from '../../domain/write/decide-writes.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { type Attempt, blocked } from '../../isolation/attempts/attempt.ts';
import { assertLatestAttempt } from '../../isolation/attempts/earlier-attempts.ts';
import type { FoundForWriting } from '../../isolation/resources/read-for-writing.ts';
import { insertResources, type ResourceUpdate, updateResources } from '../../isolation/resources/write-resources.ts';
import { insertTogether } from '../../isolation/resources/write-together.ts';
import { decideWithinBudget } from '../../services/writes/decide-within-budget.ts';
import type { WorkItem } from '../../services/writes/work-items.ts';
import type { AppliedDecision } from '../../services/writes/write-outcome.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { keepImages } from '../../store/items/before-images.ts';
import { readOutcomes, type StoredOutcome } from '../../store/items/outcomes.ts';
import type { ResourceDocument, WriteEntry } from '../../store/resources.ts';
import type { ActivityContext } from '../activity-context.ts';
import { checkResources } from './check-resources.ts';
import { replacedStates, toDocuments } from './resource-documents.ts';

/** Share of an activity's time that validation in a thread may take in one attempt: the rest is left to the next attempt. */
const THREAD_SHARE = 0.15;
/** Number of times that decisions are repeated after another writer came in between, before the activity starts again. */
const MAX_ROUNDS = 30;

export interface Writing {
  readonly context: ActivityContext;
  /** The batch that is applied; some items may belong to others. */
  readonly batch: BatchDocument;
  /** Its id is also the group with which the members of a cycle appear. */
  readonly attempt: Attempt;
  /** Stores the outcomes of the decisions that are failures, and no others. */
  readonly storeFailures: (decisions: ReadonlyMap<WorkItem, WriteDecision>) => Promise<void>;
}

/** The decision on an item, or the outcome that another activity has stored for it meanwhile. */
export type WriteResult = AppliedDecision | { readonly kind: 'finished'; readonly outcome: StoredOutcome };

/**
 * Decides items on the stored data and writes those that succeed; an intent that covers all their references must be laid before.
 * Each round reads, decides, and writes over exactly what it read (invariants 3 and 4); effects of an earlier attempt are
 * recognised by their records, or by the outcome that was stored before the record was removed (invariant 2). Members of a cycle
 * are inserted uncommitted and appear at one moment.
 * @param stored the stored data of these items, and maybe of others; absent: it is read.
 * @returns a final result for every item.
 * @throws a retryable failure while a resource that an item needs is being deleted or created by others.
 */
export async function writeItems(
  writing: Writing,
  items: readonly WorkItem[],
  stored?: StoredState,
): Promise<Map<WorkItem, WriteResult>> {
  let current = stored;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const results = await writeRound(writing, items, current ?? (await readStoredState(writing, items)));
    if (results !== null) return results;
    current = undefined;
  }
  throw blocked('others keep writing to the same resources');
}

/** The stored data of items: first their resources, then their outcomes. */
export interface StoredState {
  readonly resources: FoundForWriting;
  readonly outcomes: ReadonlyMap<WorkItem, StoredOutcome>;
}

/** Reads the data of items that are then written in parts: `writeItems` reads again what has changed since. */
export async function readStoredState(
  { context, attempt, batch }: Pick<Writing, 'context' | 'attempt' | 'batch'>,
  items: readonly WorkItem[],
): Promise<StoredState> {
  const resources = await checkResources(context, attempt, items);
  if (hasFenceOfAnother(resources, attempt)) await assertLatestAttempt(context.database, attempt, batch);
  const unknown = items.filter((item) => entryOf(resources.own.get(item.key), item) === undefined);
  // the outcomes as they are after the resources were read: a record is removed only after its outcome is stored (invariant 2)
  return { resources, outcomes: await outcomesOf(context, unknown) };
}

/** An old fence, or one put by an attempt that takes over from this one. */
const hasFenceOfAnother = ({ own, fenced }: FoundForWriting, { id }: Attempt): boolean =>
  [...own.values()].some(({ fence }) => fence !== undefined && fence.token !== id) ||
  [...fenced.values()].some((token) => token !== id);

/** One attempt to get a result for every item; null if the data that was read has changed. */
async function writeRound(
  writing: Writing,
  items: readonly WorkItem[],
  { resources, outcomes }: StoredState,
): Promise<Map<WorkItem, WriteResult> | null> {
  const { context, attempt } = writing;
  const { database, checkpoint } = context;
  const { results, open } = recognize(items, resources, outcomes);
  const needsUndecided = itemsNeeding(resources.undecided, open);
  const ready = open.filter((item) => !needsUndecided.has(item));
  const stored = statesOf(resources);
  const exists = (key: ResourceKey): boolean => resources.present.has(key);
  // After an attempt that ran out of time nothing is validated in this thread: so no item makes its batch be retried for ever.
  const budget = { threadMs: attempt.limitMs * THREAD_SHARE, inThreadOnly: attempt.isAfterTimeout };
  const { decided, postponed } = await decideWithinBudget(context.schemas, budget, ready, stored, exists, itemsNeeding);
  for (const [item, decision] of decided.decisions) results.set(item, decision);
  if (postponed.size > 0) {
    // the next attempt continues where this one stops: failures are stored, writes are recognised
    attempt.assertInTime();
    await writing.storeFailures(decided.decisions);
  }
  const overtaken = overtakenItems(ready, decided.decisions);
  if (overtaken.size > 0) {
    attempt.assertInTime();
    await writing.storeFailures(overtaken);
  }

  const now = ready.filter((item) => !postponed.has(item));
  const documents = await toDocuments(context, now, decided, resources.own);
  const inserts = documents.filter((document) => !resources.own.has(document._id));
  const updates = documents.flatMap((to): ResourceUpdate[] => {
    const from = resources.own.get(to._id);
    return from ? [{ from, to }] : [];
  });
  attempt.assertInTime();
  // what a resource was is kept before it changes: so an item that has changed one can be undone, whatever dies
  await keepImages(database, replacedStates(now, decided, documents));
  attempt.assertInTime();
  if (!(await insertAll(writing, inserts, resources.fenced))) return null;
  await checkpoint?.('inserted', items[0]?.batch._id ?? '');
  attempt.assertInTime();
  const complete = await updateResources(database, updates);
  await checkpoint?.('written', items[0]?.batch._id ?? '');
  if (!complete) return null;
  if (needsUndecided.size > 0) throw blocked('a resource that an item needs is being created or deleted');
  if (postponed.size > 0) throw blocked('validating the resources takes longer than one attempt');
  const lives = new Map(documents.map(({ _id, id }) => [_id, id]));
  for (const [item, decision] of decided.decisions)
    if (decision.kind === 'written') results.set(item, { ...decision, life: lives.get(item.key) });
  return results;
}

/**
 * Items that fail before a later item of their resource is written. The data on which they were decided is lost with that write: a later
 * attempt that finds the write and no outcome of theirs would apply them on top of it, out of order (invariant 2).
 */
function overtakenItems(
  items: readonly WorkItem[],
  decisions: ReadonlyMap<WorkItem, WriteDecision>,
): Map<WorkItem, WriteDecision> {
  const overtaken = new Map<WorkItem, WriteDecision>();
  const written = new Set<ResourceKey>();
  for (const item of items.toReversed()) {
    const decision = decisions.get(item);
    if (decision?.kind === 'written') written.add(item.key);
    else if (decision !== undefined && written.has(item.key)) overtaken.set(item, decision);
  }
  return overtaken;
}

/** Items that an earlier attempt has applied, or that are terminal, and the rest. */
function recognize(
  items: readonly WorkItem[],
  resources: FoundForWriting,
  outcomes: ReadonlyMap<WorkItem, StoredOutcome>,
): { results: Map<WorkItem, WriteResult>; open: WorkItem[] } {
  const results = new Map<WorkItem, WriteResult>();
  const open: WorkItem[] = [];
  for (const item of items) {
    const entry = entryOf(resources.own.get(item.key), item);
    const outcome = outcomes.get(item);
    const life = resources.own.get(item.key)?.id;
    if (entry) results.set(item, { kind: 'written', action: entry.action, version: entry.version, life });
    else if (outcome && !isOpen(outcome.status)) results.set(item, { kind: 'finished', outcome });
    else open.push(item);
  }
  return { results, open };
}

/** The record of an item's write. An uncommitted resource does not count as written: whether it will be is not decided yet. */
function entryOf(document: ResourceDocument | undefined, item: WorkItem): WriteEntry | undefined {
  if (document?.hidden !== undefined) return undefined;
  return document?.writes.find((entry) => entry.batchId === item.batch._id && entry.index === item.index);
}

async function outcomesOf(
  { database }: ActivityContext,
  items: readonly WorkItem[],
): Promise<Map<WorkItem, StoredOutcome>> {
  const found = new Map<WorkItem, StoredOutcome>();
  for (const batch of new Set(items.map((item) => item.batch))) {
    const own = items.filter((item) => item.batch === batch);
    const outcomes = await readOutcomes(
      database,
      batch,
      own.map((item) => item.index),
    );
    for (const item of own) {
      const outcome = outcomes.get(item.index);
      if (outcome) found.set(item, outcome);
    }
  }
  return found;
}

function statesOf(resources: FoundForWriting): Map<ResourceKey, ResourceState> {
  const states = new Map<ResourceKey, ResourceState>();
  for (const [key, document] of resources.own) {
    const { data, version, id, restored } = document;
    if (resources.present.has(key)) states.set(key, { data, version, id, restored });
  }
  return states;
}

/** Items that cannot be decided yet: on, or referring to, an undecided resource, directly or through each other. */
function itemsNeeding(undecided: ReadonlySet<ResourceKey>, items: readonly WorkItem[]): Set<WorkItem> {
  const needing = new Set<WorkItem>();
  const keys = new Set(undecided);
  for (let before = -1; keys.size > 0 && before < needing.size; ) {
    before = needing.size;
    for (const item of items) {
      if (needing.has(item)) continue;
      if (keys.has(item.key) || item.references.some((reference) => keys.has(reference.key))) {
        needing.add(item);
        keys.add(item.key);
      }
    }
  }
  return needing;
}

/**
 * Inserts new resources, targets of references first; if new resources refer to each other in a cycle, all of them are uncommitted
 * until they are all inserted (invariant 3).
 * @returns false if another insert came first.
 */
async function insertAll(
  { context: { database }, attempt }: Writing,
  inserts: readonly ResourceDocument[],
  fenced: FoundForWriting['fenced'],
): Promise<boolean> {
  const byKey = new Map(inserts.map((document) => [document._id, document]));
  const components = stronglyConnectedComponents(byKey.keys(), (key) => byKey.get(key)?.references ?? []);
  const ordered = components.flat().flatMap((key) => byKey.get(key) ?? []);
  if (components.length === ordered.length) return insertResources(database, ordered, fenced);
  switch (await insertTogether(database, attempt.id, ordered, fenced)) {
    case 'committed':
      return true;
    // another round would need another group: the next attempt has one, and aborts this one
    case 'taken':
      throw blocked('another worker is creating a member of the cycle');
    case 'aborted':
      throw blocked('another attempt has aborted the cycle');
  }
}
