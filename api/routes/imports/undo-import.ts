import { z } from '@hono/zod-openapi';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { MAX_DRY_RUN_MS } from '../../../domain/limits.ts';
import { previewImportUndo } from '../../../services/undo/preview-import-undo.ts';
import { undoImport } from '../../../services/undo/undo-import.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse, queryBoolean } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { Actions, Counts } from '../batches/batch-schemas.ts';
import { BulkOperation, bulkView } from '../bulk/bulk-schemas.ts';
import { importOf } from './find-import.ts';
import { importParams } from './import-schemas.ts';

const count = z.number().int().min(0);
const ImportUndoPreview = enveloped(
  z.object({
    dryRun: z.literal(true),
    matched: count.openapi({ description: 'Batches of the import' }),
    done: count.openapi({ description: 'Batches that would be undone' }),
    skipped: count.openapi({ description: 'Batches that were undone before' }),
    failed: z.record(z.string(), count).openapi({ description: 'Batches whose state does not allow it, by code' }),
    counts: Counts,
    actions: Actions,
  }),
).openapi('ImportUndoPreview');

/** The undo of an import (docs/api.md#undo). */
export function undoImportRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/imports/{importId}/undo',
      operationId: 'undoImport',
      tags: ['Imports'],
      params: importParams,
      query: z.object({
        dryRun: queryBoolean(false).openapi({
          description: 'Answers 200 with what the undo would do now, and stores nothing',
        }),
      }),
      summary: 'Take back what a finished import has done',
      description:
        'Its batches are undone one after the other, the newest first; what was in the way of some items and is undone after them is tried again. Only an import that was started with `undoable=true` can be undone, once. 202 means that the undo is stored and certain to be started; its status is that of the bulk operation.',
      responses: {
        202: jsonResponse('The bulk operation that undoes it', BulkOperation),
        200: jsonResponse('What the undo would do; nothing is stored', ImportUndoPreview),
        ...faults(404, 409),
      },
    },
    async (c, { params: { importId }, query: { dryRun } }) => {
      const { services, scope, createdBy } = c.var;
      const imported = await importOf(c, importId);
      if (dryRun) {
        const previewed = await services.previews({
          fairnessKey: scopeKey(scope),
          limitMs: MAX_DRY_RUN_MS,
          work: () => previewImportUndo(services, imported),
        });
        return c.json(success('Nothing was stored', { dryRun: true as const, ...previewed }), 200);
      }
      return c.json(success('Undo accepted', bulkView(await undoImport(services, imported, createdBy))), 202);
    },
  );
}
