import { z } from '@hono/zod-openapi';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { MAX_DRY_RUN_MS, MAX_RESOURCES_PER_BATCH } from '../../../domain/limits.ts';
import { cancelBatch, resumeBatch, retryBatch, suspendBatch } from '../../../services/batches/control-batch.ts';
import { viewBatch, viewListedBatch } from '../../../services/batches/view-batch.ts';
import { previewUndo } from '../../../services/undo/preview-undo.ts';
import { undoBatch } from '../../../services/undo/undo-batch.ts';
import { viewPreview } from '../../../services/writes/view-preview.ts';
import type { BatchDocument } from '../../../store/batches/batches.ts';
import type { ApiContext } from '../../http/context.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse, queryBoolean } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { Actions, Batch, Counts, PreviewedItem } from './batch-schemas.ts';
import { batchOf } from './find-batch.ts';

const tags = ['Batches'];
const params = z.object({ batchId: z.string() });

const dryRun = queryBoolean(false).openapi({
  description: 'Answers 200 with the outcome that each item of the undo would have now, and stores nothing',
});
const UndoPreview = enveloped(
  z.object({
    dryRun: z.literal(true),
    counts: Counts,
    actions: Actions,
    items: z.array(PreviewedItem).max(MAX_RESOURCES_PER_BATCH),
    itemsTotal: z.number().int().min(0).openapi({ description: '`items` has the first 1000' }),
  }),
).openapi('UndoPreview');

/** The meaning of 200, also if Temporal cannot be reached. */
const HOLDS =
  'The request is stored before the answer, and holds from then on: at most the slice of 100 resources that is being written is finished.';
const STORED =
  'It does not depend on Temporal: if Temporal cannot be reached, or accepts no more calls for now, the answer is 200 with the batch as it is stored (`source: store`), and the control request is delivered to the workflow within seconds after Temporal is available again.';

const CONTROLS = {
  suspend: { act: suspendBatch, summary: 'Start nothing new until resumed', description: `${HOLDS} ${STORED}` },
  resume: {
    act: resumeBatch,
    summary: 'Continue where it stopped',
    description: `The request is stored before the answer. ${STORED}`,
  },
  cancel: { act: cancelBatch, summary: 'End it; what was applied stays', description: `${HOLDS} ${STORED}` },
} as const;

/** Suspend, resume, cancel and retry (docs/api.md#retrying-watching-controlling). */
export function controlRoutes(api: Api): void {
  for (const [verb, { act, summary, description }] of Object.entries(CONTROLS)) {
    defineRoute(
      api,
      {
        method: 'post',
        path: `/api/batches/{batchId}/${verb}`,
        operationId: `${verb}Batch`,
        tags,
        params,
        summary,
        description,
        responses: { 200: jsonResponse('The batch', Batch), ...faults(404, 409) },
      },
      async (c, { params: { batchId } }) => {
        const { batch, isDelivered } = await act(c.var.services, await batchOf(c, batchId));
        // a workflow that the control request was not delivered to cannot be queried either, or does not have the new state
        const view = isDelivered
          ? await viewBatch(c.var.services, batch, false)
          : await viewListedBatch(c.var.services.database, batch);
        return c.json(success(`Batch is ${view.status}`, view));
      },
    );
  }
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/batches/{batchId}/retry',
      operationId: 'retryBatch',
      tags,
      params,
      summary: 'Run failed, expired and cancelled items again',
      description:
        'In a new run of the same batch. 202 means that the run is stored and certain to be started. If Temporal accepts no starts, the answer is 503 or 429 and nothing is stored.',
      responses: { 202: jsonResponse('The batch', Batch), ...faults(404, 409) },
    },
    async (c, { params: { batchId } }) => {
      const batch = await retryBatch(c.var.services, await batchOf(c, batchId));
      // the batch as it was accepted: the run itself may be over by now
      const view = await viewListedBatch(c.var.services.database, batch);
      return c.json(success(`Batch is ${view.status}`, view), 202);
    },
  );
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/batches/{batchId}/undo',
      operationId: 'undoBatch',
      tags,
      params,
      query: z.object({ dryRun }),
      summary: 'Take back what a finished batch has done',
      description:
        'By a new batch (`BATCH_UNDO`) with one item for each effect, the last one first. Only a batch that was started with `undoable=true` can be undone, once. 202 means that the undo is stored and certain to be started.',
      responses: {
        202: jsonResponse('The batch that undoes it', Batch),
        200: jsonResponse('What the undo would do; nothing is stored', UndoPreview),
        ...faults(404, 409),
      },
    },
    async (c, { params: { batchId }, query }) => {
      if (query.dryRun) return preview(c, await batchOf(c, batchId));
      const undo = await undoBatch(c.var.services, await batchOf(c, batchId), { createdBy: c.var.createdBy });
      return c.json(success('Undo accepted', await viewListedBatch(c.var.services.database, undo)), 202);
    },
  );
}

/** Answers the dry run of an undo; the counts are of all its items, of which an answer holds some. */
async function preview(c: ApiContext, batch: BatchDocument): Promise<Response> {
  const { services, scope } = c.var;
  const { items, outcomes } = await services.previews({
    fairnessKey: scopeKey(scope),
    limitMs: MAX_DRY_RUN_MS,
    work: () => previewUndo(services, batch),
  });
  const view = viewPreview(items.slice(0, MAX_RESOURCES_PER_BATCH), outcomes);
  const data = { dryRun: true as const, ...view, itemsTotal: items.length };
  return c.json(success('Nothing was stored', data), 200);
}
