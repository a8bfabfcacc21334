import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo } from '@temporalio/activity';
import { type ItemError, isOpen } from '../domain/batch/outcome.ts';
import { decideDeletion } from '../domain/delete/decide-deletion.ts';
import type { ResourceKey } from '../domain/write/resource.ts';
import { type Attempt, blocked, thisAttempt } from '../isolation/attempts/attempt.ts';
import { assertExecution, takeOverRun } from '../isolation/attempts/executions.ts';
import {
  type MarkedForDeletion,
  markEach,
  markForDeletion,
  readMarked,
  remainingIntents,
} from '../isolation/deletes/deletion-marks.ts';
import {
  type DeletionStep,
  endGroups,
  forgetGroupsOf,
  groupOfAttempt,
  markStepDone,
  noteGroup,
  readStep,
  roundOfStep,
  stepId,
} from '../isolation/deletes/deletion-steps.ts';
import { type CommitDocument, decideGroup } from '../isolation/groups/groups.ts';
import { resolveMarks } from '../isolation/groups/resolve-marks.ts';
import { intentsOn } from '../isolation/intents/intents.ts';
import { readReferrers, type Vertex } from '../isolation/resources/reference-graph.ts';
import type { MarkedDocument } from '../isolation/resources/visibility.ts';
import { unmarkForDeletion } from '../isolation/resources/write-resources.ts';
import { schemaNamesOf } from '../services/definitions/schema-names.ts';
import { type BatchDocument, readBatch } from '../store/batches/batches.ts';
import { readOutcomes } from '../store/items/outcomes.ts';
import { fenceOutcomes } from '../store/items/write-outcomes.ts';
import { SupersededError } from '../store/mongodb/errors.ts';
import { slices } from '../store/mongodb/slices.ts';
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
const WRITERS_POLL_MS = 40;
/** Looks in a row that are overtaken by what others do. */
const MAX_CHECKS = 5;
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
  const decided = await takeOver(work);
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

/** Leaves the step as it is, without marks; its outcomes are counted when it is carried out. */
async function leave(work: StepWork, nothing: DeletionResult): Promise<DeletionResult> {
  await takeBackMarks(work, [...work.step.targets.keys()]);
  await forgetGroupsOf(work.context.database, work.step.id, [work.group]);
  return work.control.isGone ? nothing : { ...nothing, isLeft: true };
}

async function resultOf({ context, batch, step }: StepWork): Promise<WorkResult> {
  const indexes = [...step.decided, ...[...step.targets.values()].map(({ items }) => ({ indexes: items }))];
  const all = indexes.flatMap((some) => [...some.indexes]);
  return workResult(all, await readOutcomes(context.database, batch, all));
}

/**
 * Takes over from earlier attempts: what one of them has committed is committed; nothing that another has under way (marks, a
 * commit, outcomes of what it took for undeletable) changes anything from now on.
 */
async function takeOver({
  context: { database },
  attempt,
  batch,
  step,
  group,
}: StepWork): Promise<CommitDocument | null> {
  const groups = await noteGroup(database, step.id, group, attempt.since);
  // a later execution that plans anew ends the groups that it finds (invariant 2)
  await assertExecution(database, batch);
  if (attempt.isFirst && groups.length === 0 && !batch.execution?.follows) return null;
  await fenceOutcomes(
    database,
    batch,
    [...step.targets.values()].flatMap(({ items }) => [...items]),
  );
  return endGroups(database, { ...step, groups });
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
    await takeBackMarks(work, keys);
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
  const marked = await takeMarks(work, keys);
  if (marked === BLOCKED) return BLOCKED;
  await checkpoint?.('marked', batch._id);
  const there = [...marked.keys()];
  if (!(await writersAreDone(work, there))) return BLOCKED;
  const outsiders = await outsideReferrers(work, marked);
  if (outsiders === BLOCKED) return BLOCKED;
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
    work,
    there.filter((key) => !deleted.has(key)),
  );
  if (deleted.size === 0) return null;
  attempt.assertInTime();
  const commit = await decideGroup(database, work.group, 'committed', survivors);
  if (commit.state === 'aborted') throw new SupersededError('a later attempt has taken over');
  await checkpoint?.('committed', batch._id);
  return commit;
}

/** Marks what is there. */
async function takeMarks(
  work: StepWork,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, MarkedForDeletion> | typeof BLOCKED> {
  const { context, attempt, batch, group } = work;
  const { database } = context;
  for (let look = 0; look < MAX_CHECKS; look++) {
    const mark = look === 0 ? markForDeletion : markEach;
    for (const some of slices(keys)) {
      attempt.assertInTime();
      await mark(database, batch._id, group, some);
    }
    const documents = await readMarked(database, keys);
    const others = documents.filter((document) => document.leaving?.group !== group);
    if (others.length === 0) return new Map(documents.map((document) => [document._id, document]));
    if (!(await settleMarks(work, others))) return BLOCKED;
  }
  return BLOCKED;
}

/** Brings marks of others to their end. @returns false where somebody is still at work. */
async function settleMarks({ context, attempt }: StepWork, documents: readonly MarkedDocument[]): Promise<boolean> {
  const { undecided } = await resolveMarks(context.database, attempt, documents);
  return undecided.size === 0;
}

/** Takes back the marks of this attempt. */
async function takeBackMarks({ context, attempt, group }: StepWork, keys: readonly ResourceKey[]): Promise<void> {
  for (const some of slices(keys)) {
    attempt.assertInTime();
    await unmarkForDeletion(context.database, group, some);
  }
}

/**
 * Waits for the writers that may have looked before the marks were there. One that lays its intent later sees the marks, and
 * is not waited for. @returns false where one takes too long.
 */
async function writersAreDone(
  { context: { database }, timeoutMs }: StepWork,
  keys: readonly ResourceKey[],
): Promise<boolean> {
  let before = new Set<string>();
  for (const some of slices(keys)) for (const intent of await intentsOn(database, some)) before.add(intent._id);
  const until = performance.now() + timeoutMs * WRITERS_PATIENCE;
  while (before.size > 0) {
    if (performance.now() > until) return false;
    await sleep(WRITERS_POLL_MS);
    before = await remainingIntents(database, before);
  }
  return true;
}

/** Resources that are not marked and refer to some that are. */
async function outsideReferrers(
  work: StepWork,
  marked: ReadonlyMap<ResourceKey, MarkedForDeletion>,
): Promise<Vertex[] | typeof BLOCKED> {
  const { database } = work.context;
  for (let look = 0; look < MAX_CHECKS; look++) {
    const outsiders = new Map<ResourceKey, Vertex>();
    for (const some of slices([...marked.keys()])) {
      for await (const page of readReferrers(database, some)) {
        for (const vertex of page) if (!marked.has(vertex._id)) outsiders.set(vertex._id, vertex);
      }
    }
    const unsettled = [...outsiders.values()].filter(
      ({ hidden, leaving }) => hidden !== undefined || leaving !== undefined,
    );
    if (unsettled.length === 0) return [...outsiders.values()];
    if (!(await settleMarks(work, unsettled))) return BLOCKED;
  }
  return BLOCKED;
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
