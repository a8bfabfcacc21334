import { z } from '@hono/zod-openapi';
import { withinRoom } from '../../../domain/batch/answer-room.ts';
import { BATCH_STATUSES, BATCH_TYPES, OPERATIONS, type Operation } from '../../../domain/batch/batch.ts';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { totalText } from '../../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../../domain/limits.ts';
import { viewBatch, viewListedBatch } from '../../../services/batches/view-batch.ts';
import { listBatches } from '../../../store/batches/batches.ts';
import { findSchemaDefinition } from '../../../store/definitions/schema-definitions.ts';
import type { ListPlace } from '../../http/cursors.ts';
import {
  type Api,
  defineRoute,
  faults,
  jsonResponse,
  pageQuery,
  queryBoolean,
  queryEnum,
  queryEnumOr,
} from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { Batch, BatchList } from './batch-schemas.ts';
import { batchOf, batchScopesOf } from './find-batch.ts';

const tags = ['Batches'];

/** Status of a batch, and the list of batches. */
export function readBatchRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/batches/{batchId}',
      operationId: 'getBatch',
      tags,
      params: z.object({ batchId: z.string() }),
      summary: 'Status of a batch',
      description:
        'From its workflow while that runs, else from what is stored: `source` says which. `counts` add up to the number of its records at every moment.',
      query: z.object({ includePendingDetails: queryBoolean(false) }),
      responses: { 200: jsonResponse('The batch', Batch), ...faults(404) },
    },
    async (c, { params: { batchId }, query }) => {
      const view = await viewBatch(c.var.services, await batchOf(c, batchId), query.includePendingDetails);
      return c.json(success(`Batch is ${view.status}`, view));
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/batches',
      operationId: 'listBatches',
      tags,
      summary: 'List batches, newest first',
      description: 'Those of the tenant, as they are stored: a running batch may be a moment ahead.',
      query: z.object({
        ...pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 }),
        batchType: queryEnum(Object.values(BATCH_TYPES) as [string, ...string[]]),
        status: queryEnum(BATCH_STATUSES),
        schema: z.string().optional().openapi({ description: 'Name, plural name or id of a schema definition' }),
        sortBy: queryEnumOr(['createdAt', '-createdAt'], '-createdAt'),
      }),
      responses: { 200: jsonResponse('A page of batches', BatchList), ...faults() },
    },
    async (c, { query }) => {
      const { database, cursors } = c.var.services;
      const operation = OPERATIONS.find((known: Operation) => BATCH_TYPES[known] === query.batchType);
      const definition = query.schema ? await findSchemaDefinition(database, c.var.scope.platform, query.schema) : null;
      // the batches of a deleted definition still exist, under its id
      const schemaDefinitionId = definition?.id ?? query.schema;
      const scopes = batchScopesOf(c);
      const place: ListPlace = {
        list: 'batches',
        filter: [operation, query.status, schemaDefinitionId, query.sortBy, ...scopes.map(scopeKey)].map(
          (part = '') => part,
        ),
      };
      const after = await cursors.decode(c.var.scope, place, query.cursor);
      const filter = {
        ...(operation && { operation }),
        ...(query.status && { status: query.status }),
        ...(schemaDefinitionId && { schemaDefinitionId }),
      };
      const newestFirst = query.sortBy === '-createdAt';
      const page = await listBatches(database, scopes, filter, { after, limit: query.limit, newestFirst });
      const results = withinRoom(await Promise.all(page.batches.map((batch) => viewListedBatch(database, batch))));
      const next = results.length < page.batches.length ? (results.at(-1)?.batchId ?? null) : page.next;
      const cursor = next === null ? null : await cursors.encode(c.var.scope, place, next);
      return c.json(
        success(totalText(page.total, 'batch', 'batches'), {
          results,
          pagination: paginationOf(page.total, cursor),
        }),
      );
    },
  );
}
