import { z } from '@hono/zod-openapi';
import { withinRoom } from '../../../domain/batch/answer-room.ts';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { totalText } from '../../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../../domain/limits.ts';
import { viewBatch, viewListedBatch } from '../../../services/batches/view-batch.ts';
import { listBatches } from '../../../store/batches/list-batches.ts';
import type { ListPlace } from '../../http/cursors.ts';
import {
  type Api,
  defineRoute,
  faults,
  jsonResponse,
  pageQuery,
  queryBoolean,
  queryEnumOr,
} from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { filterOf, filterQuery } from './batch-filter.ts';
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
        ...filterQuery,
        sortBy: queryEnumOr(['createdAt', '-createdAt'], '-createdAt'),
      }),
      responses: { 200: jsonResponse('A page of batches', BatchList), ...faults() },
    },
    async (c, { query }) => {
      const { database, cursors } = c.var.services;
      const { cursor: given, limit, sortBy, ...asked } = query;
      const filter = await filterOf(c, asked);
      const scopes = batchScopesOf(c);
      const place: ListPlace = { list: 'batches', filter: [JSON.stringify(filter), sortBy, ...scopes.map(scopeKey)] };
      const after = await cursors.decode(c.var.scope, place, given);
      const newestFirst = sortBy === '-createdAt';
      const page = await listBatches(database, scopes, filter, { after, limit, newestFirst });
      const results = withinRoom(await Promise.all(page.batches.map((batch) => viewListedBatch(database, batch))));
      const next = results.length < page.batches.length ? (results.at(-1)?.batchId ?? null) : page.next;
      const cursor = await cursors.encode(c.var.scope, place, next);
      return c.json(
        success(totalText(page.total, 'batch', 'batches'), {
          results,
          pagination: paginationOf(page.total, cursor),
        }),
      );
    },
  );
}
