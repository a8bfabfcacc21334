import type { ResourceKey } from '../../domain/write/resource.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { removeLists } from '../../store/items/key-lists.ts';
import { fenceOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { deleteFound } from '../../store/mongodb/each-by-id.ts';
import { SupersededError } from '../../store/mongodb/errors.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { sinceOf } from '../attempts/attempt-names.ts';
import { assertExecution } from '../attempts/executions.ts';
import { type CommitDocument, decideGroup, groupsIn, survivorsOf } from '../groups/groups.ts';
import { removeMarkedForDeletion, unmarkForDeletion } from '../resources/write-resources.ts';
import { type DeletionStep, partId, runsUpTo, stepsIn, unfinishedSteps, upTo } from './deletion-steps.ts';

/**
 * Takes a step over from earlier attempts: a commit of one of them stays; no command that another one has under way (marks, a
 * commit, outcomes of resources that it could not delete) changes anything from now on.
 * @returns the commit of an earlier attempt, if there is one.
 * @throws SupersededError if a later attempt or another execution is at work on the step.
 */
export async function takeOverStep(
  database: Database,
  attempt: Attempt,
  batch: BatchDocument,
  step: DeletionStep,
  group: string,
): Promise<CommitDocument | null> {
  const groups = await noteGroup(database, step.id, group, attempt.since);
  // a later execution that plans again aborts the groups that it finds (invariant 2)
  await assertExecution(database, batch);
  if (attempt.isFirst && groups.length === 0 && !batch.execution?.follows) return null;
  await fenceOutcomes(
    database,
    batch,
    [...step.targets.values()].flatMap(({ items }) => [...items]),
  );
  return endGroups(database, { ...step, groups });
}

/**
 * Commits the group of a step: every marked resource that `survivors` does not name is gone for every reader.
 * @throws SupersededError if a later attempt has aborted the group.
 */
export async function commitStep(
  database: Database,
  group: string,
  survivors: readonly ResourceKey[],
): Promise<CommitDocument> {
  const commit = await decideGroup(database, group, 'committed', survivors);
  if (commit.state === 'aborted') throw new SupersededError('a later attempt has taken over');
  return commit;
}

/** Keys that a step has deleted: those of its group, once that is committed, except the survivors. */
export async function deletedKeys(
  database: Database,
  step: DeletionStep,
  commit: CommitDocument | null,
): Promise<ResourceKey[]> {
  if (commit?.state !== 'committed') return [];
  const survivors = new Set(await survivorsOf(database, commit));
  return [...step.targets.keys()].filter((key) => !survivors.has(key));
}

/** The first part of the group names of a step's attempts: `attemptName`. */
export const groupOfAttempt = (id: string, { activity, id: attempt }: { activity: string; id: string }): string =>
  `${id}${attempt.slice(activity.length)}`;

/**
 * Notes the group of an attempt before it marks anything. It notes first and reads then: of two attempts at work at once, one sees the other.
 * @param since when the attempt was scheduled.
 * @returns the groups of the attempts before it, to be ended. @throws SupersededError if a later one is noted, or the step does not exist any more.
 */
async function noteGroup(database: Database, id: string, group: string, since: number): Promise<string[]> {
  const noted = await stepsIn(database).findOneAndUpdate(
    { _id: partId(id, 0) },
    { $addToSet: { groups: group } },
    { returnDocument: 'after', projection: { groups: 1 } },
  );
  const others = (noted?.groups ?? []).filter((other) => other !== group);
  if (noted === null || others.some((other) => sinceOf(id, other) > since))
    throw new SupersededError('a later attempt is at work on the step, or it is gone');
  return others;
}

/** Removes groups that have taken back their marks and commit nothing. */
export async function forgetGroupsOf(database: Database, id: string, groups: readonly string[]): Promise<void> {
  await stepsIn(database).updateOne({ _id: partId(id, 0) }, { $pullAll: { groups: [...groups] } });
}

/**
 * Decides the groups of earlier attempts of a step, for good: those that are not committed are aborted, their marks taken back, and
 * they are removed. A commit of theirs that is under way finds its document taken, and a mark that lands late is a mark of a group
 * that is over.
 * @returns the committed one, if there is one.
 */
export async function endGroups(
  database: Database,
  step: Pick<DeletionStep, 'id' | 'groups' | 'targets'>,
): Promise<CommitDocument | null> {
  const aborted: string[] = [];
  // the group of a worker of the version before this one, which noted none
  for (const group of [...step.groups, step.id]) {
    const decision = await decideGroup(database, group, 'aborted');
    if (decision.state === 'committed') return decision;
    aborted.push(group);
  }
  for (const some of parts([...step.targets.keys()]))
    for (const group of aborted) await unmarkForDeletion(database, group, some);
  if (step.groups.length > 0) await forgetGroupsOf(database, step.id, step.groups);
  return null;
}

/**
 * Removes the plan of a delete batch that is over, up to a run or all of it, with the documents that decide about its marks: marks of a step are
 * resolved first, because a mark without a decision would never be resolved. Safe to repeat.
 */
export async function removeDeletionPlan(database: Database, batchId: string, run?: number): Promise<void> {
  for await (const step of unfinishedSteps(database, batchId, run)) {
    const committed = await endGroups(database, step);
    if (committed === null) continue;
    for (const some of parts([...step.targets.keys()])) await removeMarkedForDeletion(database, committed._id, some);
  }
  await deleteFound(stepsIn(database), upTo(batchId, run));
  await deleteFound(groupsIn(database), upTo(batchId, run));
  // lists belong to groups, whose names begin with batch and run
  for (const owner of run === undefined ? [batchId] : runsUpTo(run).map((one) => `${batchId}/${one}`))
    await removeLists(database, owner);
}
