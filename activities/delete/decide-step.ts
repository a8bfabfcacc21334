import { setTimeout as sleep } from 'node:timers/promises';
import { type ItemError, isOpen } from '../../domain/batch/outcome.ts';
import { decideDeletion } from '../../domain/delete/decide-deletion.ts';
import { isInState } from '../../domain/undo/undo-entry.ts';
import { CHANGED_SINCE } from '../../domain/write/decide-writes.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { blocked } from '../../isolation/attempts/attempt.ts';
import {
  type Deletion,
  findReferrers,
  type MarkedForDeletion,
  takeBackMarks,
  takeMarks,
  waitForWriters,
} from '../../isolation/deletes/deletion-marks.ts';
import type { DeletionStep } from '../../isolation/deletes/deletion-steps.ts';
import { commitStep, forgetGroupsOf } from '../../isolation/deletes/step-groups.ts';
import type { CommitDocument } from '../../isolation/groups/groups.ts';
import type { Vertex } from '../../isolation/resources/reference-graph.ts';
import { schemaNamesOf } from '../../services/definitions/schema-names.ts';
import { notFoundError, referencedError } from '../../services/deletes/deletion-errors.ts';
import { readUndoEntries } from '../../store/items/item-pages.ts';
import { readOutcomes } from '../../store/items/outcomes.ts';
import { writeDecided } from './deletion-outcomes.ts';
import { keepDeleted } from './keep-deleted.ts';
import type { StepWork } from './step-work.ts';
import { storeWritersOutcomes } from './store-writers-outcomes.ts';

/** Share of an activity's time in which it tries again while other attempts block it. */
const PATIENCE = 0.12;
/** Share of it for which it keeps its marks while writers that have checked before finish. */
const WRITERS_PATIENCE = 0.1;

const BLOCKED = Symbol('blocked by other attempts');

export const deletionOf = ({ context: { database }, attempt, batch, group }: StepWork): Deletion => ({
  database,
  attempt,
  batchId: batch._id,
  group,
});

/**
 * Marks the resources of a step and commits their deletion; null if none of them can be deleted.
 * @throws a retryable failure, without marks, while other attempts are writing what the step needs.
 */
export async function decideStep(work: StepWork): Promise<CommitDocument | null | typeof HALTED> {
  const { step, group, context } = work;
  const keys = await openKeys(work);
  if (keys.length === 0) return null;
  const started = performance.now();
  for (;;) {
    const attempt = await tryToDecide(work, keys);
    if (attempt !== BLOCKED) return attempt;
    await takeBackMarks(deletionOf(work), keys);
    if (performance.now() - started > work.timeoutMs * PATIENCE) {
      await forgetGroupsOf(context.database, step.id, [group]);
      throw blocked('other attempts are writing resources that are to be deleted');
    }
    // random, so that two deletes that block each other do not retry at the same moments
    await sleep(20 + Math.random() * 200);
  }
}

/** Keys that are not finished: cascaded ones, and those whose first item has no terminal outcome. */
async function openKeys({ context, batch, step }: StepWork): Promise<ResourceKey[]> {
  const firsts = [...step.targets.values()].flatMap(({ items }) => items.slice(0, 1));
  const outcomes = await readOutcomes(context.database, batch, firsts);
  return [...step.targets].flatMap(([key, { items }]) => (isOpen(outcomes.get(items[0] ?? -1)?.status) ? [key] : []));
}

export const HALTED = Symbol('the batch is suspended or cancelled');

/** This order keeps references whole (invariant 3): mark, check for intents, check for referrers, commit. */
async function tryToDecide(
  work: StepWork,
  keys: readonly ResourceKey[],
): Promise<CommitDocument | null | typeof BLOCKED | typeof HALTED> {
  const { context, attempt, control, batch, step } = work;
  const { database, checkpoint } = context;
  const deletion = deletionOf(work);
  const marked = await takeMarks(deletion, keys);
  if (marked === null) return BLOCKED;
  await checkpoint?.('marked', batch._id);
  const there = [...marked.keys()];
  if (!(await waitForWriters(deletion, there, work.timeoutMs * WRITERS_PATIENCE))) return BLOCKED;
  const outsiders = await findReferrers(deletion, marked);
  if (outsiders === null) return BLOCKED;
  await checkpoint?.('referrers-checked', batch._id);
  if ((await control.now()) !== null) return HALTED;
  const strangers = await changedSince(work, marked);
  const own = new Map([...marked].filter(([key]) => !strangers.has(key)));
  const { deleted, kept } = decideMarked(step, own, [...outsiders, ...strangers.values()]);
  attempt.assertInTime();
  await storeWritersOutcomes(
    database,
    [...deleted].flatMap((key) => marked.get(key) ?? []),
  );
  attempt.assertInTime();
  await storeUndeleted(
    work,
    keys.filter((key) => !marked.has(key)),
    [...strangers.keys()],
    kept,
  );
  const survivors = [...step.targets.keys()].filter((key) => !deleted.has(key));
  // survivors lose their marks before the commit, which deletes all that are marked
  await takeBackMarks(
    deletion,
    there.filter((key) => !deleted.has(key)),
  );
  if (deleted.size === 0) return null;
  await keepDeleted(
    work,
    [...deleted].flatMap((key) => marked.get(key) ?? []),
  );
  attempt.assertInTime();
  const commit = await commitStep(database, work.group, survivors);
  await checkpoint?.('committed', batch._id);
  return commit;
}

/**
 * The marked resources to delete, and those that stay with their referrers. A cascaded resource stays if it no longer refers to a resource that is
 * deleted with it.
 */
function decideMarked(
  step: DeletionStep,
  marked: ReadonlyMap<ResourceKey, MarkedForDeletion>,
  outsiders: readonly Vertex[],
): { deleted: Set<ResourceKey>; kept: ReadonlyMap<ResourceKey, readonly ResourceKey[]> } {
  const targets = [...marked].flatMap(([key, document]) => {
    const reasons = step.targets.get(key)?.reasons ?? [];
    return reasons.length === 0 || reasons.some((reason) => document.references.includes(reason)) ? [key] : [];
  });
  const references = new Map(
    [...marked.values(), ...outsiders].map((vertex) => [
      vertex._id,
      vertex.references.filter((key) => marked.has(key)),
    ]),
  );
  const { stages, kept } = decideDeletion({ targets, references }, false);
  return { deleted: new Set(stages.flat(2)), kept };
}

/**
 * Marked resources that an undo leaves as they are, because they are not in the state in which its batch has left them (invariant 9). They are
 * marked, so this is so until the commit.
 */
async function changedSince(
  { context: { database }, batch, step }: StepWork,
  marked: ReadonlyMap<ResourceKey, MarkedForDeletion>,
): Promise<Map<ResourceKey, MarkedForDeletion>> {
  if (batch.operation !== 'undo') return new Map();
  const firsts = new Map([...step.targets].map(([key, { items }]) => [key, items[0] ?? -1]));
  const entries = await readUndoEntries(database, batch, [...firsts.values()]);
  const isAsLeft = (key: ResourceKey, resource: MarkedForDeletion): boolean =>
    isInState(resource, entries.get(firsts.get(key) ?? -1)?.expects);
  return new Map([...marked].filter(([key, resource]) => !isAsLeft(key, resource)));
}

/** Stores the outcomes of resources that are not deleted, before their marks are removed. */
async function storeUndeleted(
  { context: { database }, batch, step, isLast }: StepWork,
  absent: readonly ResourceKey[],
  strangers: readonly ResourceKey[],
  kept: ReadonlyMap<ResourceKey, readonly ResourceKey[]>,
): Promise<void> {
  const stays = isLast ? [...kept] : [];
  if (absent.length + strangers.length + stays.length === 0) return;
  const names = await schemaNamesOf(database, [...absent, ...stays.flat(2)]);
  const errors = new Map<ResourceKey, ItemError>();
  for (const key of absent) errors.set(key, batch.operation === 'undo' ? CHANGED_SINCE : notFoundError(key, names));
  for (const key of strangers) errors.set(key, CHANGED_SINCE);
  for (const [key, referrers] of stays) errors.set(key, referencedError(key, referrers, names));
  const decided = [...errors].flatMap(([key, error]) => {
    const indexes = step.targets.get(key)?.items ?? [];
    return indexes.length > 0 ? [{ indexes, outcome: { status: 'skipped' as const, errors: [error] } }] : [];
  });
  await writeDecided(database, batch, decided);
}
