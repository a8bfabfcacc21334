import { z } from '@hono/zod-openapi';
import { findBatch } from '../../store/batches/batches.ts';
import { findSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { ApiContext } from '../http/context.ts';
import { type Api, defineRoute, jsonResponse } from '../http/define-route.ts';
import { setErrorHeaders } from '../http/envelope.ts';
import { errorAnswer } from '../http/error-answers.ts';
import { removeBatchForGood } from '../routes/batches/delete-batch.ts';

export const EXTRACTA_PREFIX = '/api/v1/documentClassification/';

const Answer = z.object({ status: z.enum(['success', 'error']), message: z.string() }).openapi('ExtractaAnswer');
const given = z.string({ error: 'must be given, as a string' }).min(1, 'must not be empty');
const Body = z
  .strictObject({ classificationId: given, batchId: given }, { error: 'must be an object' })
  .openapi('ExtractaBatch');

/** The only endpoint of Extracta that exists here: it deletes a batch. Errors are in Extracta's shape, by `extractaFailure`. */
export function extractaRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'delete',
      path: '/api/v1/documentClassification/deleteBatch',
      operationId: 'deleteExtractaBatch',
      tags: ['Extracta'],
      body: Body,
      summary: 'Delete a batch of a classification (a schema definition)',
      description:
        'As Extracta has it: removes a batch, its items and its workflow for good. What is wrong, or unknown, is a 400 in the shape of Extracta.',
      responses: {
        200: jsonResponse('Deleted', Answer),
        400: jsonResponse('The request is wrong, or names something that does not exist', Answer),
        401: jsonResponse('No valid token', Answer),
        500: jsonResponse('Internal error', Answer),
      },
    },
    async (c, { body: { classificationId, batchId } }) => {
      const { database } = c.var.services;
      const definition = await findSchemaDefinition(database, c.var.scope.platform, classificationId);
      if (definition === null) return wrong(c, 'classificationId is unknown');
      const batch = await findBatch(database, c.var.scope, batchId);
      if (batch === null || batch.schemaDefinitionId !== definition.id)
        return wrong(c, 'batchId is unknown in this classification');
      await removeBatchForGood(c, batch);
      return c.json({ status: 'success', message: 'Batch deleted' });
    },
  );
}

const wrong = (c: ApiContext, message: string): Response => c.json({ status: 'error', message }, 400);

/** Errors in Extracta's shape: 400, 401 and 500 are the only statuses that its clients know. */
export function extractaFailure(c: ApiContext, error: unknown): Response {
  const known = errorAnswer(error);
  if (known !== null) setErrorHeaders(c, known);
  if (known === null || known.status === 503 || known.status === 429) {
    const { logger } = c.var.services;
    if (known === null)
      logger.error({ err: error, requestId: c.var.requestId }, 'an Extracta request failed because of a bug');
    else logger.warn({ err: error, requestId: c.var.requestId }, known.message);
    return c.json({ status: 'error', message: 'Internal server error' }, 500);
  }
  const status = known.status === 401 || known.status === 403 ? 401 : 400;
  return c.json({ status: 'error', message: known.errors?.join('; ') ?? known.message }, status);
}
