import { activityInfo } from '@temporalio/activity';
import { ofWrite } from '../domain/batch/batch.ts';
import { isOpen } from '../domain/batch/outcome.ts';
import { tallyOf } from '../domain/batch/tally.ts';
import { type Attempt, isBlocked, thisAttempt } from '../isolation/attempts/attempt.ts';
import { endEarlierAttempts } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import { type BatchDocument, readBatch } from '../store/batches/batches.ts';
import { type Halt, haltOf } from '../store/batches/halts.ts';
import { type ItemPages, keysOfItems, readItemPages } from '../store/items/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../store/items/outcomes.ts';
import { fenceOutcomes } from '../store/items/write-outcomes.ts';
import type { Database } from '../store/mongodb/database.ts';
import type { ItemsOfBatch, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { createdKeysOf, finishApplied } from './finish/finish-open-items.ts';
import { toWorkResult } from './finish/work-result.ts';
import { recordWaits } from './wait/record-waits.ts';
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
  return inTurn(context, attempt, () => apply(context, attempt, input));
}

/**
 * Runs work when a place is free: places go to the fairness keys in rotation. A local activity does not wait for others, because it must
 * end with its workflow task.
 */
export async function inTurn<T>({ semaphore }: ActivityContext, attempt: Attempt, work: () => Promise<T>): Promise<T> {
  const begin = (): Promise<T> => {
    // it may have waited long for the semaphore: without time left it would only delay the others
    attempt.assertInTime();
    return work();
  };
  if (attempt.isLocal) return begin();
  const { limitMs } = attempt;
  return semaphore({ fairnessKey: activityInfo().priority?.fairnessKey ?? '', limitMs, work: async () => begin() });
}

async function apply(context: ActivityContext, attempt: Attempt, input: ItemsOfBatch): Promise<WorkResult> {
  const control = new ControlCheck(context.database, input);
  // nothing is awaited before: activities that begin together share one read
  const remembered = isNewWork(attempt, input) ? context.remembered.batch(input.batchId) : undefined;
  const known = remembered && (await rememberedWork(context, attempt, input, await remembered));
  if (known) return applyStored(context, attempt, control, input, known);
  const { batch, ...stored } = await readWork(context, attempt, input);
  const halt = control.asRead(batch);
  if (batch === null || batch.run !== input.run) return NOTHING_DONE;
  return applyStored(context, attempt, control, input, { batch, halt, ...stored });
}

/**
 * The first attempt at new items of a batch on which this process has just worked for the same execution: all that it needs before its intent
 * is laid never changes in a run. What may have changed, suspension and cancellation above all, is read with the checks that follow the intent
 * (`readOfOwn`). Null where it takes more.
 */
async function rememberedWork(
  { remembered }: ActivityContext,
  attempt: Attempt,
  { batchId, run, pageSize, indexes }: ItemsOfBatch,
  batch: BatchDocument | null,
): Promise<FoundWork | null> {
  const execution = batch?.execution;
  const isOfExecution = execution?.runId === attempt.runId && execution.run === run && !execution.follows;
  if (pageSize === undefined || batch === null || !isOfExecution || batch.validateOnly || haltOf(batch, run) !== null)
    return null;
  const pages = await remembered.pages({ _id: batchId, pageSize }, indexes);
  return { batch, halt: null, outcomes: new Map(), pages };
}

/** The first attempt at items that are not pending, in the first run: hardly one has an outcome (`assertKnown`). */
const isNewWork = ({ isFirst }: Attempt, { run, requeuesBlocked }: ItemsOfBatch): boolean =>
  isFirst && run === 1 && !requeuesBlocked;

const NOTHING_DONE: WorkResult = { tally: tallyOf([]), pending: [] };

/** What is stored of some items of a batch. */
interface StoredWork {
  readonly outcomes: ReadonlyMap<number, StoredOutcome>;
  readonly pages: ItemPages;
}

/** Reads a batch and some of its items; all at once where the size of its pages is known. */
async function readWork(
  { database, remembered }: ActivityContext,
  attempt: Attempt,
  input: ItemsOfBatch,
): Promise<StoredWork & { readonly batch: BatchDocument | null }> {
  const { batchId, pageSize, indexes } = input;
  if (pageSize === undefined) {
    const batch = await readBatch(database, batchId);
    return { batch, ...(batch === null ? NOTHING_STORED : await readStoredWork(database, batch, indexes)) };
  }
  const pages = { _id: batchId, pageSize };
  if (!isNewWork(attempt, input)) {
    const [batch, stored] = await Promise.all([readBatch(database, batchId), readStoredWork(database, pages, indexes)]);
    return { batch, ...stored };
  }
  const reading = readBatch(database, batchId);
  remembered.remember(batchId, reading);
  const [batch, found] = await Promise.all([reading, remembered.pages(pages, indexes)]);
  return { batch, outcomes: new Map(), pages: found };
}

const NOTHING_STORED: StoredWork = { outcomes: new Map(), pages: new Map() };

type Pages = Pick<BatchDocument, '_id' | 'pageSize'>;

async function readStoredWork(database: Database, batch: Pages, indexes: readonly number[]): Promise<StoredWork> {
  const [outcomes, pages] = await Promise.all([
    readOutcomes(database, batch, indexes),
    readItemPages(database, batch, indexes),
  ]);
  return { outcomes, pages };
}

/** A run of a batch that is to be worked on, as it was read together with its items, or as it is remembered. */
interface FoundWork extends Pick<StoredWork, 'pages'> {
  readonly batch: BatchDocument;
  readonly halt: Halt | null;
  /** Absent: they are still to be read. */
  readonly outcomes?: StoredWork['outcomes'];
}

/** Applies items that were read. */
export async function applyStored(
  context: ActivityContext,
  attempt: Attempt,
  control: ControlCheck,
  input: ItemsOfBatch,
  { batch: found, halt, outcomes: read, pages }: FoundWork,
): Promise<WorkResult> {
  const { database } = context;
  const { indexes } = input;
  const batch = ofWrite(await takeOverRun(database, found, attempt));
  const writable = async () => [{ batch, items: await keysOfItems(database, batch, indexes) }];
  const follows = batch.execution?.follows === true;
  if (follows) await fenceOutcomes(database, batch, indexes);
  // after no earlier attempt, one check is enough: that once the intent is laid
  const isAlone = (attempt.isFirst || attempt.isLocal) && halt === null;
  if (!isAlone) await endEarlierAttempts(database, attempt, batch, writable);
  const before = (isAlone && !follows && read) || (await readOutcomes(database, batch, indexes));
  await wakeWaiting(context, await createdKeysOf(database, batch, before));
  const open = indexes.filter((index) => isOpen(before.get(index)?.status));
  const applying = { context, attempt, control, batch, writable, before, pages };
  const { outcomes, left, isOutdated } = await applyOrRequeue(applying, input, open, halt);
  recordWaits(before, outcomes);
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
