import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo } from '@temporalio/activity';
import { type ItemError, isOpen } from '../domain/batch/outcome.ts';
import { decideDeletion } from '../domain/delete/decide-deletion.ts';
import type { ResourceKey } from '../domain/write/resource.ts';
import { type Attempt, blocked, thisAttempt } from '../isolation/attempts/attempt.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import {
  type Deletion,
  findReferrers,
  type MarkedForDeletion,
  takeBackMarks,
  takeMarks,
  waitForWriters,
} from '../isolation/deletes/deletion-marks.ts';
import { type DeletionStep, markStepDone, readStep, roundOfStep, stepId } from '../isolation/deletes/deletion-steps.ts';
import { commitStep, forgetGroupsOf, groupOfAttempt, takeOverStep } from '../isolation/deletes/step-groups.ts';
import type { CommitDocument } from '../isolation/groups/groups.ts';
import type { Vertex } from '../isolation/resources/reference-graph.ts';
import { schemaNamesOf } from '../services/definitions/schema-names.ts';
import { type BatchDocument, readBatch } from '../store/batches/batches.ts';
import { readOutcomes } from '../store/items/outcomes.ts';
import type { DeletionResult, StepOfBatch, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { workResult } from './apply-items.ts';
import { ControlCheck } from './control/control-check.ts';
import { notFoundError, referencedError, writeDecided } from './delete/deletion-outcomes.ts';
import { cascadedKeys, finishStep } from './delete/finish-step.ts';
import { storeWritersOutcomes } from './delete/store-writers-outcomes.ts';

/** Share of an activity's time in which it tries again while others are at work on the same resources. */
const PATIENCE = 0.12;
/** Share of it that it holds its marks while writers that have looked before end. */
const WRITERS_PATIENCE = 0.1;
/** From this round on what somebody has come to refer to stays, so that a delete ends whatever others do. */
export const LAST_ROUND = 20;

interface StepWork {
  readonly context: ActivityContext;
  readonly attempt: Attempt;
  readonly control: ControlCheck;
  /** Time that Temporal gives the activity, in ms. */
  readonly timeoutMs: number;
  readonly batch: BatchDocument;
  readonly step: DeletionStep;
  /** What this attempt marks resources with, and commits. */
  readonly group: string;
  /** Nothing is left for a further round. */
  readonly last: boolean;
}

/**
 * Carries out one step of a delete: mark, wait for writers that have looked before, look for referrers, commit, remove, store
 * outcomes. All that the step deletes vanishes at one moment, the commit. What somebody has come to refer to since planning
 * stays, with what it refers to, and is left to the next round. Every part can be repeated; after the commit there is only
 * forward, before it the marks can be taken back at any time.
 * A step is what a delete does between two checks whether the batch is suspended or cancelled: before it, and before the commit.
 * @throws a retryable failure while others are at work on what the step needs: without marks, so that nobody waits for it.
 */
export async function deleteResources(context: ActivityContext, input: StepOfBatch): Promise<DeletionResult> {
  const { database, checkpoint } = context;
  const attempt = thisAttempt();
  const control = new ControlCheck(database, input);
  const found = await readBatch(database, input.batchId);
  const halt = control.asRead(found);
  const id = stepId(input.batchId, input.run, input.step);
  const step = found?.run === input.run ? await readStep(database, id) : null;
  const nothing = { ...workResult([], new Map()), cascaded: 0 };
  if (found === null || step === null) return nothing;
  const batch = await takeOverRun(database, found, attempt);
  const timeoutMs = activityInfo().startToCloseTimeoutMs;
  const last = roundOfStep(input.step) >= LAST_ROUND;
  const group = groupOfAttempt(step.id, attempt);
  const work: StepWork = { context, attempt, control, timeoutMs, batch, step, group, last };
  const decided = await takeOverStep(database, attempt, batch, step, group);
  // what is committed has been begun: it is brought to its end
  if (decided === null && halt !== null) return leave(work, nothing);
  await writeDecided(database, batch, step.decided);
  const commit = decided ?? (await decideStep(work));
  if (commit === HALTED) return leave(work, nothing);
  await finishStep(database, batch, step, commit, {
    beforeWrite: () => attempt.assertInTime(),
    removed: async () => checkpoint?.('deleted', batch._id),
  });
  await checkpoint?.('outcomes-stored', batch._id);
  attempt.assertInTime();
  const cascaded = await cascadedKeys(database, step, commit);
  await markStepDone(database, step.id, cascaded);
  return { ...(await resultOf(work)), cascaded };
}

const deletionOf = ({ context: { database }, attempt, batch, group }: StepWork): Deletion => ({
  database,
  attempt,
  batchId: batch._id,
  group,
});

/** Leaves the step as it is, without marks; its outcomes are counted when it is carried out. */
async function leave(work: StepWork, nothing: DeletionResult): Promise<DeletionResult> {
  await takeBackMarks(deletionOf(work), [...work.step.targets.keys()]);
  await forgetGroupsOf(work.context.database, work.step.id, [work.group]);
  return work.control.isGone ? nothing : { ...nothing, isLeft: true };
}

async function resultOf({ context, batch, step }: StepWork): Promise<WorkResult> {
  const indexes = [...step.decided, ...[...step.targets.values()].map(({ items }) => ({ indexes: items }))];
  const all = indexes.flatMap((some) => [...some.indexes]);
  return workResult(all, await readOutcomes(context.database, batch, all));
}

/** Commits what of the step can go; null where nothing of it can. */
async function decideStep(work: StepWork): Promise<CommitDocument | null | typeof HALTED> {
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
      throw blocked('others are at work on resources that are to be deleted');
    }
    // Not in step with another delete that has met this one.
    await sleep(20 + Math.random() * 200);
  }
}

/** Keys that are not settled: cascaded ones, and those whose first item has no outcome. */
async function openKeys({ context, batch, step }: StepWork): Promise<ResourceKey[]> {
  const firsts = [...step.targets.values()].flatMap(({ items }) => items.slice(0, 1));
  const outcomes = await readOutcomes(context.database, batch, firsts);
  return [...step.targets].flatMap(([key, { items }]) => (isOpen(outcomes.get(items[0] ?? -1)?.status) ? [key] : []));
}

const BLOCKED = Symbol('somebody else is at work on what the step needs');
const HALTED = Symbol('the batch is suspended or cancelled');

/** The order is what keeps references from dangling (invariant 3): mark, then look for intents, then for referrers, then commit. */
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
  const { deleted, kept } = decideMarked(step, marked, outsiders);
  attempt.assertInTime();
  await storeWritersOutcomes(
    database,
    [...deleted].flatMap((key) => marked.get(key) ?? []),
  );
  attempt.assertInTime();
  await settleUndeleted(
    work,
    keys.filter((key) => !marked.has(key)),
    kept,
  );
  const survivors = [...step.targets.keys()].filter((key) => !deleted.has(key));
  // Survivors are unmarked before the commit: what is marked then is gone.
  await takeBackMarks(
    deletion,
    there.filter((key) => !deleted.has(key)),
  );
  if (deleted.size === 0) return null;
  attempt.assertInTime();
  const commit = await commitStep(database, work.group, survivors);
  await checkpoint?.('committed', batch._id);
  return commit;
}

/** What of the marked resources goes, and what stays because of whom. A cascaded one that has lost its reasons stays. */
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

/** Outcomes of what is not deleted, stored before its marks are taken back. */
async function settleUndeleted(
  { context: { database }, batch, step, last }: StepWork,
  absent: readonly ResourceKey[],
  kept: ReadonlyMap<ResourceKey, readonly ResourceKey[]>,
): Promise<void> {
  const stays = last ? [...kept] : [];
  if (absent.length === 0 && stays.length === 0) return;
  const names = await schemaNamesOf(database, [...absent, ...stays.flat(2)]);
  const errors = new Map<ResourceKey, ItemError>();
  for (const key of absent) errors.set(key, notFoundError(key, names));
  for (const [key, referrers] of stays) errors.set(key, referencedError(key, referrers, names));
  const decided = [...errors].flatMap(([key, error]) => {
    const indexes = step.targets.get(key)?.items ?? [];
    return indexes.length > 0 ? [{ indexes, outcome: { status: 'skipped' as const, errors: [error] } }] : [];
  });
  await writeDecided(database, batch, decided);
}
