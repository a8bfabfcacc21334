import { setImmediate } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { isOpen } from '../../domain/batch/outcome.ts';
import { addTally, type Tally, tallyOf } from '../../domain/batch/tally.ts';
import { blocked } from '../../isolation/attempts/attempt.ts';
import { firstStep, insertStep } from '../../isolation/deletes/deletion-steps.ts';
import { MemoryExceededError } from '../../services/deletes/memory-allowance.ts';
import type { BatchDocument, DeleteBatchDocument, UndoBatchDocument } from '../../store/batches/batches.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { Plan, Work } from '../../workflows/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import type { ControlCheck } from '../control/control-check.ts';
import { showProgress } from '../control/show-progress.ts';
import { decideSteps, type NewStep } from './deletion-plan.ts';
import { finishSteps } from './finish-step.ts';
import { LAST_ROUND } from './step-work.ts';

/** What a stored plan of steps is made of. */
export interface StepPlanning {
  readonly charge: (bytes: number) => void;
  readonly progress: () => Promise<void>;
  readonly write: (stage: number, step: NewStep) => Promise<void>;
}

/**
 * Plans a delete, or the removals of an undo, or the rest of the steps of an earlier round, which had got new referrers. Planning changes nothing except the
 * plan: outcomes that are decided now are stored by steps too. So a plan can be made again at any time, and the steps of a late
 * plan never run (invariant 2). Steps are written as they are decided: only the references among deleted resources and those that
 * keep them are held in memory, within `planningMemory`.
 * @param round 0, and one more each time that all steps are done; of an undo from 1 on.
 */
export async function planDeletion(
  context: ActivityContext,
  batch: DeleteBatchDocument | UndoBatchDocument,
  round: number,
  control: ControlCheck,
): Promise<Plan> {
  const { database } = context;
  return planSteps(context, batch, round, control, (finished, { charge, progress, write }) => {
    // after the last round steps leave no item open: an open item has failed because of a bug
    if (round > LAST_ROUND + 1 || finished.every((one) => one === 1)) return Promise.resolve();
    return decideSteps({ database, batch, finished, charge, progress, write });
  });
}

/**
 * Makes a stored plan of steps. @param decide writes the steps of the items that are not finished (1 by index for those that are).
 * @returns the plan, with a next round if any step has resources.
 */
export async function planSteps(
  { database, planningMemory }: ActivityContext,
  batch: DeleteBatchDocument | UndoBatchDocument,
  round: number,
  control: ControlCheck,
  decide: (finished: Uint8Array, planning: StepPlanning) => Promise<void>,
): Promise<Plan> {
  if (control.asRead(batch) !== null) return notPlanned(control);
  await finishSteps(database, batch);
  const { finished, tally } = await finishedItems(database, batch);
  const stages: Work[][] = [];
  let step = firstStep(round);
  let targets = 0;
  const write = async (stage: number, one: NewStep): Promise<void> => {
    showProgress();
    await insertStep(database, { batchId: batch._id, run: batch.run }, step, one);
    const works = stages[stage] ?? [];
    stages[stage] = works;
    works.push({ kind: 'step', step, items: itemsOf(one) });
    targets += one.targets.size;
    step += 1;
  };
  const progress = async (): Promise<void> => {
    showProgress();
    if ((await control.inTime()) !== null) throw new HaltedError();
    await setImmediate();
  };
  try {
    await planningMemory.lend((charge) => decide(finished, { charge, progress, write }));
  } catch (error) {
    if (error instanceof HaltedError) return notPlanned(control);
    throw error instanceof MemoryExceededError ? toFailure(error) : error;
  }
  // a stage without steps is empty, and no gap
  const whole = Array.from(stages, (works) => works ?? []);
  return { tally: round === 0 ? tally : tallyOf([]), stages: whole, ...(targets > 0 && { next: round + 1 }) };
}

/** The batch is suspended or cancelled. */
class HaltedError extends Error {
  override readonly name = 'HaltedError';
}

/** Steps that are written already never run. */
const notPlanned = (control: ControlCheck): Plan => ({
  tally: tallyOf([]),
  stages: [],
  ...(!control.isGone && { isLeft: true }),
});

/** Other plans free the memory they hold, so that a retry helps; a plan that exceeds the limit alone would fail each time. */
function toFailure(error: MemoryExceededError): ApplicationFailure {
  const message = `the references around what is to be deleted take ${error.message} (DELETION_MEMORY_BYTES)`;
  return error.isShared ? blocked(message) : ApplicationFailure.nonRetryable(message, 'MemoryExceeded');
}

const itemsOf = ({ targets, decided }: NewStep): number =>
  [...targets.values()].reduce((sum, { items }) => sum + items.length, 0) +
  decided.reduce((sum, { indexes }) => sum + indexes.length, 0);

/** The finished items (1 by index), and their tally. */
async function finishedItems(
  database: Database,
  batch: BatchDocument,
): Promise<{ finished: Uint8Array; tally: Tally }> {
  const finished = new Uint8Array(batch.total);
  const tally = tallyOf([]);
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    showProgress();
    const over = [...outcomes].filter(([, { status }]) => !isOpen(status));
    for (const [index] of over) finished[index] = 1;
    addTally(tally, tallyOf(over.map(([, outcome]) => outcome)));
  }
  return { finished, tally };
}
