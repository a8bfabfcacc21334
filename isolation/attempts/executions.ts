import { type BatchDocument, batchesIn, FIRST_EXECUTION, type WorkingExecution } from '../../store/batches/batches.ts';
import { CONTROL_FIELDS, type Controllable } from '../../store/batches/halts.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { SupersededError } from '../../store/mongodb/errors.ts';

/** The fields of an attempt that its execution depends on. */
interface AttemptOfExecution {
  readonly runId: string;
  /** When Temporal scheduled the attempt. */
  readonly since: number;
}

/**
 * Takes over the run of a batch for the execution of an attempt, unless that works on it already; the execution before learns of it
 * by `assertExecution`. Of two executions the later one has the later attempts. Safe to repeat.
 * @returns the batch with this execution. @throws SupersededError if a later one works on the run, or there is no such run.
 */
export async function takeOverRun(
  database: Database,
  batch: BatchDocument,
  attempt: AttemptOfExecution,
): Promise<BatchDocument> {
  const before = batch.execution;
  if (before?.runId === attempt.runId && before.run === batch.run) return batch;
  const follows = before?.run === batch.run;
  if (follows && before.since > attempt.since)
    throw new SupersededError('a later execution of the workflow works on the batch');
  const least = before === undefined ? FIRST_EXECUTION : before.since + 1;
  const since = follows ? Math.max(attempt.since, least) : least;
  const execution: WorkingExecution = { runId: attempt.runId, run: batch.run, since, ...(follows && { follows }) };
  const asRead = before === undefined ? { execution: { $exists: false } } : { 'execution.since': before.since };
  const { _id, run } = batch;
  const { matchedCount } = await batchesIn(database).updateOne({ _id, run, ...asRead }, { $set: { execution } });
  if (matchedCount === 1) return { ...batch, execution };
  const now = await batchesIn(database).findOne({ _id, run });
  if (now === null) throw new SupersededError('there is no such run of the batch any more');
  return takeOverRun(database, now, attempt);
}

/**
 * To be called when an attempt has written something that an execution which takes over finds (an intent, a group), and before it reads
 * the data on which it decides: one of the two sees the other.
 * @returns whether the batch may be worked on now, of the same read. @throws SupersededError if another execution works on the batch.
 */
export async function assertExecution(database: Database, batch: BatchDocument): Promise<Controllable | null> {
  const projection = { ...CONTROL_FIELDS, execution: 1 } as const;
  const now = await batchesIn(database).findOne({ _id: batch._id }, { projection });
  if (now?.execution?.runId !== batch.execution?.runId)
    throw new SupersededError('another execution of the workflow works on the batch');
  return now;
}
