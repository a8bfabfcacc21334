import { z } from '@hono/zod-openapi';
import { withinRoom } from '../../../domain/batch/answer-room.ts';
import { BATCH_STATUSES } from '../../../domain/batch/batch.ts';
import { totalOf, totalText } from '../../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../../domain/limits.ts';
import { viewListedBatch } from '../../../services/batches/view-batch.ts';
import { viewImport, viewListedImport } from '../../../services/imports/view-import.ts';
import { countImportBatches, wholeImportBatches } from '../../../store/imports/import-batches.ts';
import { listImports } from '../../../store/imports/imports.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, faults, jsonResponse, pageQuery, queryEnum } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { BatchList } from '../batches/batch-schemas.ts';
import { importOf } from './find-import.ts';
import { Import, ImportList, importParams } from './import-schemas.ts';

const tags = ['Imports'];

/** Status of an import, the list of imports, and the batches of one. */
export function readImportsRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/imports/{importId}',
      operationId: 'getImport',
      tags,
      params: importParams,
      summary: 'Status of an import',
      description:
        'From its workflow while that runs, else from what is stored: `source` says which. `counts` are over the rows that were read so far.',
      responses: { 200: jsonResponse('The import', Import), ...faults(404) },
    },
    async (c, { params: { importId } }) => {
      const view = await viewImport(c.var.services, await importOf(c, importId));
      return c.json(success(`Import is ${view.status}`, view));
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/imports',
      operationId: 'listImports',
      tags,
      summary: 'List imports, newest first',
      description: 'Those of the tenant, as they are stored: a running import may be a moment ahead.',
      query: z.object({
        ...pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 }),
        status: queryEnum(BATCH_STATUSES),
        label: z.string().optional(),
      }),
      responses: { 200: jsonResponse('A page of imports', ImportList), ...faults() },
    },
    async (c, { query: { cursor, limit, status, label } }) => {
      const { database, cursors } = c.var.services;
      const place: ListPlace = { list: 'imports', filter: [status ?? '', label ?? ''] };
      const after = await cursors.decode(c.var.scope, place, cursor);
      const filter = { ...(status && { status }), ...(label && { label }) };
      const { imports, total, next } = await listImports(database, c.var.scope, filter, { after, limit });
      const results = imports.map(viewListedImport);
      const following = await cursors.encode(c.var.scope, place, next);
      return c.json(
        success(totalText(total, 'import', 'imports'), { results, pagination: paginationOf(total, following) }),
      );
    },
  );
  batchesOfImportRoute(api);
}

function batchesOfImportRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/imports/{importId}/batches',
      operationId: 'listImportBatches',
      tags,
      params: importParams,
      summary: 'The batches of an import, in the order of its rows',
      description: 'Each has up to 1000 of its rows, and everything that a batch has.',
      query: z.object(pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 })),
      responses: { 200: jsonResponse('A page of batches', BatchList), ...faults(404) },
    },
    async (c, { params: { importId }, query: { cursor, limit } }) => {
      const { database, cursors } = c.var.services;
      const { _id } = await importOf(c, importId);
      const place: ListPlace = { list: `batches of import ${_id}`, filter: [] };
      const after = (await cursors.decodeIndex(c.var.scope, place, cursor)) ?? 0;
      const [found, counted] = await Promise.all([
        wholeImportBatches(database, _id, after + 1, limit + 1),
        countImportBatches(database, _id),
      ]);
      const total = totalOf(counted);
      const page = found.slice(0, limit);
      const results = withinRoom(await Promise.all(page.map((batch) => viewListedBatch(database, batch))));
      const last = page[results.length - 1]?.importNumber;
      const following =
        found.length > results.length && last !== undefined
          ? await cursors.encode(c.var.scope, place, String(last))
          : null;
      return c.json(
        success(totalText(total, 'batch', 'batches'), { results, pagination: paginationOf(total, following) }),
      );
    },
  );
}
