import { activityInfo } from '@temporalio/activity';
import { ofWrite } from '../domain/batch/batch.ts';
import { isOpen } from '../domain/batch/outcome.ts';
import { tallyOf } from '../domain/batch/tally.ts';
import { type Attempt, isBlocked, thisAttempt } from '../isolation/attempts/attempt.ts';
import { endEarlierAttempts } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import { readBatch } from '../store/batches/batches.ts';
import type { Halt } from '../store/batches/halts.ts';
import { keysOfItems } from '../store/items/item-pages.ts';
import { readOutcomes } from '../store/items/outcomes.ts';
import { fenceOutcomes } from '../store/items/write-outcomes.ts';
import type { ItemsOfBatch, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { createdKeysOf, finishApplied } from './finish/finish-open-items.ts';
import { toWorkResult } from './finish/work-result.ts';
import { type Applied, type Applying, applyOpen, finishBegun } from './write/apply-open.ts';

/** Attempts of an activity on pending items after which the blocked ones are requeued. */
const ATTEMPTS_BLOCKED = 3;

/**
 * Applies items of an upload or patch: decide, lay intents, check, write, store outcomes, wake waiting batches. Every step can be
 * repeated. Items that are finished already are counted, and batches that wait for what they have created are woken again: the attempt
 * that finished them may have died before it did so (invariant 5).
 */
export async function applyItems(context: ActivityContext, input: ItemsOfBatch): Promise<WorkResult> {
  const attempt = thisAttempt();
  const { startToCloseTimeoutMs: limitMs, priority } = activityInfo();
  return context.semaphore({
    fairnessKey: priority?.fairnessKey ?? '',
    limitMs,
    work: () => apply(context, attempt, input),
  });
}

async function apply(context: ActivityContext, attempt: Attempt, input: ItemsOfBatch): Promise<WorkResult> {
  const { database } = context;
  const { indexes } = input;
  // it may have waited long for the semaphore: without time left it would only delay the others
  attempt.assertInTime();
  const control = new ControlCheck(database, input);
  const found = await readBatch(database, input.batchId);
  const halt = control.asRead(found);
  if (found === null || found.run !== input.run) return { tally: tallyOf([]), pending: [] };
  const batch = ofWrite(await takeOverRun(database, found, attempt));
  const writable = async () => [{ batch, items: await keysOfItems(database, batch, indexes) }];
  if (batch.execution?.follows) await fenceOutcomes(database, batch, indexes);
  // after no earlier attempt, one check is enough: that once the intent is laid
  if (!attempt.isFirst || halt !== null) await endEarlierAttempts(database, attempt, batch, writable);
  const before = await readOutcomes(database, batch, indexes);
  await wakeWaiting(context, await createdKeysOf(database, batch, before));
  const open = indexes.filter((index) => isOpen(before.get(index)?.status));
  const { outcomes, left, isOutdated } = await applyOrRequeue(
    { context, attempt, control, batch, writable, before },
    input,
    open,
    halt,
  );
  // the workflow of a run that is over does not take anything back
  const kept = new Set(control.isGone ? [] : left);
  const done = toWorkResult(
    indexes.filter((index) => !kept.has(index)),
    new Map([...before, ...outcomes]),
  );
  return kept.size > 0 ? { ...done, left: [...kept], ...(isOutdated && { isOutdated }) } : done;
}

async function applyOrRequeue(
  applying: Applying,
  { links, requeuesBlocked }: ItemsOfBatch,
  open: readonly number[],
  halt: Halt | null,
): Promise<Applied> {
  if (halt !== null) return finishBegun(applying.context, applying.batch, open);
  try {
    return await applyOpen(applying, open, links);
  } catch (error) {
    if (!isBlocked(error) || !requeuesBlocked || applying.attempt.number < ATTEMPTS_BLOCKED) throw error;
    return requeue(applying, open);
  }
}

/**
 * Other batches are writing what pending items need. Resources that were written are announced (invariant 5), and failed items stay
 * failed. The others stay pending, and are in no index of pending items until their batch checks them again, which it does.
 */
async function requeue({ context, attempt, batch }: Applying, open: readonly number[]): Promise<Applied> {
  const { database } = context;
  attempt.assertInTime();
  const { created } = await finishApplied(database, batch, open);
  await wakeWaiting(context, created);
  return { outcomes: await readOutcomes(database, batch, open), left: [] };
}
