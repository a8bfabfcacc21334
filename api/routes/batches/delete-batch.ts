import { z } from '@hono/zod-openapi';
import { purgeBatch } from '../../../services/batches/purge-batch.ts';
import { type BatchDocument, markDeleted } from '../../../store/batches/batches.ts';
import type { ApiContext } from '../../http/context.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { batchOf, noBatch } from './find-batch.ts';

/** Removal of a batch, whatever it is doing (docs/api.md#retrying-watching-controlling). */
export function deleteBatchRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'delete',
      path: '/api/batches/{batchId}',
      operationId: 'deleteBatch',
      tags: ['Batches'],
      params: z.object({ batchId: z.string() }),
      summary: 'Remove a batch for good',
      description:
        'Removes the batch, its items and its workflow execution; a running one is cancelled first. Resources stay. From the answer on the batch is a 404 and nothing of it begins; what cannot be removed at once, because Temporal cannot be reached, is removed later.',
      responses: { 200: jsonResponse('Removed', enveloped(z.object({ batchId: z.string() }))), ...faults(404) },
    },
    async (c, { params: { batchId } }) => {
      await removeBatchForGood(c, await batchOf(c, batchId));
      return c.json(success('Batch deleted', { batchId }));
    },
  );
}

/** Time in which a request ends the workflow of its batch and removes its executions from Temporal, in ms. */
const PURGE_TIMEOUT_MS = 4_000;

/**
 * Once it is marked, the batch is a 404; recovery removes what cannot be removed at once.
 * @param isTemporalThere false if the caller has just found Temporal unavailable.
 */
export async function removeBatchForGood(
  c: ApiContext,
  batch: BatchDocument,
  isTemporalThere = c.var.services.isTemporalThere,
): Promise<void> {
  const { database, client, logger } = c.var.services;
  const deadline = Date.now() + PURGE_TIMEOUT_MS;
  const marked = await markDeleted(database, batch, batch._id);
  if (marked === null) throw noBatch(batch._id);
  try {
    if (await isTemporalThere()) await client.withDeadline(deadline, () => purgeBatch(c.var.services, marked));
  } catch (error) {
    logger.warn({ batchId: batch._id, err: error }, 'a deleted batch is left to recovery');
  }
}
