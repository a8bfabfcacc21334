import { activityInfo } from '@temporalio/activity';
import { thisAttempt } from '../isolation/attempts/attempt.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { takeBackMarks } from '../isolation/deletes/deletion-marks.ts';
import { markStepDone, readStep, roundOfStep, stepId } from '../isolation/deletes/deletion-steps.ts';
import { forgetGroupsOf, groupOfAttempt, takeOverStep } from '../isolation/deletes/step-groups.ts';
import type { CommitDocument } from '../isolation/groups/groups.ts';
import { readBatch } from '../store/batches/batches.ts';
import { readOutcomes } from '../store/items/outcomes.ts';
import type { DeletionResult, StepOfBatch, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { decideStep, deletionOf, HALTED } from './delete/decide-step.ts';
import { writeDecided } from './delete/deletion-outcomes.ts';
import { cascadedKeys, finishStep } from './delete/finish-step.ts';
import { LAST_ROUND, type StepWork } from './delete/step-work.ts';
import { toWorkResult } from './finish/work-result.ts';

const NOTHING: DeletionResult = { ...toWorkResult([], new Map()), cascaded: 0 };

/**
 * Runs one step of a delete: mark, wait for writers that have checked before, check for referrers, commit, remove, store outcomes. All
 * that the step deletes vanishes at one moment, the commit. A resource that has got a new referrer since planning stays, with what it
 * refers to, for the next round. Every part can be repeated. Before the commit the marks can be removed at any time; after it the step
 * can only be completed.
 * A step is the unit between two checks whether the batch is suspended or cancelled: it checks at its start and before the commit.
 * @throws a retryable failure while other attempts are writing what the step needs: without marks, so that no other attempt waits for it.
 */
export async function deleteResources(context: ActivityContext, input: StepOfBatch): Promise<DeletionResult> {
  // first: its time to write runs from here
  const attempt = thisAttempt();
  const control = new ControlCheck(context.database, input);
  const found = await readBatch(context.database, input.batchId);
  const halt = control.asRead(found);
  const step = found?.run === input.run ? await readStep(context.database, idOf(input)) : null;
  if (found === null || step === null) return NOTHING;
  const work: StepWork = {
    context,
    attempt,
    control,
    timeoutMs: activityInfo().startToCloseTimeoutMs,
    batch: await takeOverRun(context.database, found, attempt),
    step,
    group: groupOfAttempt(step.id, attempt),
    isLast: roundOfStep(input.step) >= LAST_ROUND,
  };
  const decided = await takeOverStep(context.database, attempt, work.batch, step, work.group);
  // a committed deletion has begun: it is completed even if the batch is suspended
  if (decided === null && halt !== null) return leave(work);
  await writeDecided(context.database, work.batch, step.decided);
  const commit = decided ?? (await decideStep(work));
  return commit === HALTED ? leave(work) : complete(work, commit);
}

const idOf = ({ batchId, run, step }: StepOfBatch): string => stepId(batchId, run, step);

/** Removes the resources of a step that is decided, and stores its outcomes. @param commit null if nothing is deleted. */
async function complete(work: StepWork, commit: CommitDocument | null): Promise<DeletionResult> {
  const { context, attempt, batch, step } = work;
  const { database, checkpoint } = context;
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

/** Leaves the step as it is, without marks: its outcomes are counted when it runs again. */
async function leave(work: StepWork): Promise<DeletionResult> {
  await takeBackMarks(deletionOf(work), [...work.step.targets.keys()]);
  await forgetGroupsOf(work.context.database, work.step.id, [work.group]);
  return work.control.isGone ? NOTHING : { ...NOTHING, isLeft: true };
}

async function resultOf({ context, batch, step }: StepWork): Promise<WorkResult> {
  const indexes = [...step.decided, ...[...step.targets.values()].map(({ items }) => ({ indexes: items }))];
  const all = indexes.flatMap((some) => [...some.indexes]);
  return toWorkResult(all, await readOutcomes(context.database, batch, all));
}
