import type { BulkCounts, BulkVerb } from '../../domain/bulk/bulk-operation.ts';
import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { DroverError } from '../../domain/errors.ts';
import { type BatchDocument, markDeleted, readBatches } from '../../store/batches/batches.ts';
import { fittingBatches } from '../../store/batches/list-batches.ts';
import type { FilteredOperation } from '../../store/bulk/bulk-operations.ts';
import { type ControlParts, cancelBatch, resumeBatch, retryBatch, suspendBatch } from '../batches/control-batch.ts';

/** Batches that are worked on at the same time. */
const AT_ONCE = 10;

/**
 * Does the same with some batches: those that fit the filter now. The write that does it marks the batch with the operation, so that whoever repeats this after a crash finds it
 * done, and neither does it again nor takes it for one that fits no more.
 * @param isRepeated an attempt may have worked on them before: a batch that is not there any more was deleted by it, where it deletes.
 */
export async function actOnBatches(
  parts: ControlParts,
  { _id, verb, filter, scopes }: FilteredOperation,
  ids: readonly string[],
  isRepeated: boolean,
): Promise<BulkCounts> {
  const [fitting, all] = await Promise.all([
    fittingBatches(parts.database, scopes, filter, ids),
    readBatches(parts.database, ids),
  ]);
  const [fits, known] = [byId(fitting), byId(all)];
  const counts = { done: 0, skipped: 0, failed: {} as Record<string, number> };
  await forEachConcurrently(ids, AT_ONCE, async (id) => {
    const batch = fits.get(id);
    const isDone = known.get(id)?.bulk === _id || (isRepeated && verb === 'delete' && !known.has(id));
    if (isDone) counts.done += 1;
    else if (batch === undefined) counts.skipped += 1;
    else {
      const code = await act({ ...parts, bulkId: _id }, verb, batch);
      if (code === null) counts.done += 1;
      else counts.failed[code] = (counts.failed[code] ?? 0) + 1;
    }
  });
  return counts;
}

const byId = (batches: readonly BatchDocument[]) => new Map(batches.map((batch) => [batch._id, batch]));

/** @returns the code of the reason why it cannot be done; null: it is. @throws errors of servers, with which the whole is repeated. */
async function act(
  parts: ControlParts & { readonly bulkId: string },
  verb: BulkVerb,
  batch: BatchDocument,
): Promise<string | null> {
  try {
    switch (verb) {
      case 'cancel':
        await cancelBatch(parts, batch);
        break;
      case 'suspend':
        await suspendBatch(parts, batch);
        break;
      case 'resume':
        await resumeBatch(parts, batch);
        break;
      case 'retry':
        await retryBatch(parts, batch);
        break;
      case 'delete':
        // recovery removes what is marked
        return (await markDeleted(parts.database, batch, batch._id, parts.bulkId)) === null ? 'not_found' : null;
      default:
        verb satisfies never;
    }
    return null;
  } catch (error) {
    if (error instanceof DroverError && error.code === 'operation_not_allowed') return error.code;
    throw error;
  }
}
