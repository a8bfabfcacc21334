import { z } from '@hono/zod-openapi';
import { totalText } from '../../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../../domain/limits.ts';
import { listBulkOperations } from '../../../store/bulk/bulk-operations.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, faults, jsonResponse, pageOf, pageQuery } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { BulkOperationData, bulkView } from './bulk-schemas.ts';

const BulkOperationList = pageOf(BulkOperationData).openapi('BulkOperationList');

/** What was asked for many batches at once, and how far it is (docs/api.md#many-batches-at-once). */
export function listBulkOperationsRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/bulk-operations',
      operationId: 'listBulkOperations',
      tags: ['Bulk operations'],
      summary: 'List bulk operations, newest first',
      description: 'Those of the tenant that are kept.',
      query: z.object(pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 })),
      responses: { 200: jsonResponse('A page of bulk operations', BulkOperationList), ...faults() },
    },
    async (c, { query: { cursor, limit } }) => {
      const { database, cursors } = c.var.services;
      const place: ListPlace = { list: 'bulk-operations', filter: [] };
      const after = await cursors.decode(c.var.scope, place, cursor);
      const { operations, total, next } = await listBulkOperations(database, c.var.scope, { after, limit });
      const pagination = paginationOf(total, await cursors.encode(c.var.scope, place, next));
      const message = totalText(total, 'bulk operation', 'bulk operations');
      return c.json(success(message, { results: operations.map(bulkView), pagination }));
    },
  );
}
