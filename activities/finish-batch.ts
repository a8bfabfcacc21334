import { heartbeat } from '@temporalio/activity';
import { terminalStatus, type BatchSummary } from '../domain/batch.ts';
import { noActions, noCounts } from '../domain/outcome.ts';
import type { ItemError } from '../domain/outcome.ts';
import type { ResourceKey } from '../domain/resource.ts';
import { addInto, tallyOf } from '../domain/tally.ts';
import { type BatchDocument, type BatchResult, readBatch, recordFinished } from '../store/batches.ts';
import { stopWaiting } from '../store/dependencies.ts';
import { removeDeletionPlan } from '../store/deletion-steps.ts';
import { outcomeChunks } from '../store/outcome-pages.ts';
import type { Dependencies } from './dependencies.ts';
import { settleLeftovers } from './settle-leftovers.ts';

export interface FinishInput {
  readonly batchId: string;
  readonly run: number;
  readonly cancelled: boolean;
  /** Resources that this run has deleted beyond the ids asked for. */
  readonly cascaded: number;
}

const CANCELLED: ItemError = { code: 'cancelled', message: 'the batch was cancelled before this item was carried out' };
const INTERNAL: ItemError = { code: 'internal', message: 'the item could not be carried out; the worker log has the reason' };

/**
 * Ends a run: what is not settled becomes `cancelled` (or `failed`, where carrying it out failed for a reason of ours), counts
 * are taken from the stored outcomes, and the result is stored. Safe to repeat.
 */
export async function finishBatch(dependencies: Dependencies, input: FinishInput): Promise<BatchSummary> {
  const { database } = dependencies;
  const batch = await readBatch(database, input.batchId);
  const result: BatchResult = { counts: noCounts(), actions: noActions(), errorCodes: {} };
  if (batch === null) return { ...result, status: 'cancelled', suspended: false };
  const missed = new Set<ResourceKey>();
  for await (const chunk of outcomeChunks(database, batch)) {
    heartbeat();
    const indexes = indexesOf(batch, chunk.pages);
    const open = indexes.filter((index) => ['queued', 'pending'].includes(chunk.outcomes.get(index)?.status ?? 'queued'));
    let outcomes = chunk.outcomes;
    if (open.length > 0) {
      const [status, error] = input.cancelled ? (['cancelled', CANCELLED] as const) : (['failed', INTERNAL] as const);
      await settleLeftovers(database, batch, open, status, error);
      for await (const again of outcomeChunks(database, batch, chunk.pages)) outcomes = again.outcomes;
    }
    for (const outcome of [...chunk.outcomes.values(), ...outcomes.values()]) {
      for (const missing of outcome.missing ?? []) missed.add(missing.key);
    }
    const tally = tallyOf(indexes.map((index) => outcomes.get(index) ?? { status: 'queued' as const }));
    addInto(result.counts, tally.counts);
    addInto(result.actions, tally.actions);
    addInto(result.errorCodes, tally.errorCodes);
  }
  result.actions.cascaded = batch.cascaded + input.cascaded;
  await stopWaiting(database, batch._id, [...missed]);
  const status = terminalStatus(result.counts, input.cancelled);
  await recordFinished(database, input, status, result);
  if (batch.operation === 'delete') await removeDeletionPlan(database, batch._id);
  return { ...result, status, suspended: false };
}

function indexesOf(batch: BatchDocument, pages: readonly number[]): number[] {
  return pages.flatMap((page) => {
    const first = page * batch.pageSize;
    return Array.from({ length: Math.min(batch.pageSize, batch.total - first) }, (_, offset) => first + offset);
  });
}
