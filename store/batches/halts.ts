import { isTerminal } from '../../domain/batch/batch.ts';
import type { Database } from '../mongodb/database.ts';
import { type BatchDocument, batchesIn } from './batches.ts';

/**
 * Why a run of a batch must not be worked on: it is suspended, it is cancelled or being removed, or there is no such run
 * (any more).
 */
export type Halt = 'suspended' | 'cancelled' | 'gone';

/** The fields of a batch that say whether it may be worked on. */
export type Controllable = Pick<BatchDocument, 'run' | 'status' | 'suspended' | 'cancelRequested' | 'deletedAt'>;

export const CONTROL_FIELDS = { run: 1, status: 1, suspended: 1, cancelRequested: 1, deletedAt: 1 } as const;

/** The reason why a batch, as it was read, must not be worked on in one of its runs; null if there is none. */
export function haltOf(batch: Controllable | null, run: number): Halt | null {
  if (batch === null || batch.run !== run || isTerminal(batch.status)) return 'gone';
  if (batch.cancelRequested || batch.deletedAt !== undefined) return 'cancelled';
  return batch.suspended ? 'suspended' : null;
}

/** Reads the present reason why a run must not be worked on. Cheap: one look-up of a few fields by `_id`. */
export async function readHalt(
  database: Database,
  { batchId, run }: { readonly batchId: string; readonly run: number },
): Promise<Halt | null> {
  const batch = await batchesIn(database).findOne({ _id: batchId }, { projection: CONTROL_FIELDS });
  return haltOf(batch, run);
}
