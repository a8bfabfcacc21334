import { isTerminal } from '../../domain/batch/batch.ts';
import { COUNT_LIMIT } from '../../domain/batch/total.ts';
import { type BatchDocument, batchesIn, NOT_TO_BE_STARTED } from '../batches/batches.ts';
import type { Database } from '../mongodb/database.ts';
import { parts } from '../mongodb/parts.ts';

/** The batches of an import: an index serves each query. */

/** The fields of a batch that its import reads. */
export type ImportBatch = Pick<
  BatchDocument,
  | '_id'
  | 'importNumber'
  | 'total'
  | 'pageSize'
  | 'status'
  | 'suspended'
  | 'suspendedByImport'
  | 'cancelRequested'
  | 'deletedAt'
  | 'unstarted'
  | 'result'
  | 'report'
  | 'run'
>;

const PROJECTION = {
  importNumber: 1,
  total: 1,
  pageSize: 1,
  status: 1,
  suspended: 1,
  suspendedByImport: 1,
  cancelRequested: 1,
  deletedAt: 1,
  unstarted: 1,
  result: 1,
  report: 1,
  run: 1,
} as const;

/** Batches that are read in one command: a reader may be so slow that the server would have given up a cursor. */
const BATCHES_AT_ONCE = 1_000;

/** The batches of an import from a number on, in order. */
export async function* importBatches(
  database: Database,
  importId: string,
  from = 1,
): AsyncGenerator<ImportBatch, void> {
  for (let next = from; ; ) {
    const found = await batchesIn(database)
      .find({ importId, importNumber: { $gte: next } })
      .project<ImportBatch>(PROJECTION)
      .sort({ importNumber: 1 })
      .limit(BATCHES_AT_ONCE)
      .toArray();
    yield* found;
    if (found.length < BATCHES_AT_ONCE) return;
    next = (found.at(-1)?.importNumber ?? next) + 1;
  }
}

/** Whole batches of an import, from a number on, in order; those that a caller has removed are not included. */
export async function wholeImportBatches(
  database: Database,
  importId: string,
  from: number,
  limit: number,
): Promise<BatchDocument[]> {
  return batchesIn(database)
    .find({ importId, importNumber: { $gte: from }, deletedAt: { $exists: false } })
    .sort({ importNumber: 1 })
    .limit(limit)
    .toArray();
}

/** Notes, or takes back, that an import has suspended a batch. */
export async function recordSuspendedByImport(
  database: Database,
  batchId: string,
  isSuspended: boolean,
): Promise<void> {
  await batchesIn(database).updateOne(
    { _id: batchId },
    isSuspended ? { $set: { suspendedByImport: true } } : { $unset: { suspendedByImport: '' } },
  );
}

/** Whether a batch is still to be worked on. */
export const isOpenBatch = ({ status, deletedAt }: Pick<ImportBatch, 'status' | 'deletedAt'>): boolean =>
  !isTerminal(status) && deletedAt === undefined;

/** Marks the batches of an import as deleted. @returns how many there are, marked before or now. */
export async function markBatchesOfImport(database: Database, importId: string): Promise<number> {
  let count = 0;
  const unmarked: string[] = [];
  for await (const { _id, deletedAt } of importBatches(database, importId)) {
    count += 1;
    if (deletedAt === undefined) unmarked.push(_id);
  }
  // one that the update misses is found by the next pass over the import
  for (const some of parts(unmarked))
    await batchesIn(database).updateMany(
      { _id: { $in: some }, deletedAt: { $exists: false } },
      { $set: { deletedAt: new Date() }, $unset: NOT_TO_BE_STARTED },
    );
  return count;
}

/** How many batches of an import there are, up to the number at which a total is capped. */
export async function countImportBatches(database: Database, importId: string): Promise<number> {
  return batchesIn(database).countDocuments({ importId, deletedAt: { $exists: false } }, { limit: COUNT_LIMIT });
}
