import { z } from '@hono/zod-openapi';
import { type Api, defineRoute, faults } from '../../http/define-route.ts';
import { aboutEvents, answerWithEvents, eventResponses, LAST_EVENT } from '../stream-events.ts';
import { batchScopesOf, noBatch } from './find-batch.ts';

/** The changes of a batch as they happen (docs/api.md#retrying-watching-controlling). */
export function watchBatchRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/batches/{batchId}/events',
      operationId: 'watchBatch',
      tags: ['Batches'],
      params: z.object({ batchId: z.string() }),
      headers: LAST_EVENT,
      summary: 'Server-sent events: one at each change, at most 4 a second, and a last one at the end',
      description: aboutEvents('batch'),
      responses: { ...eventResponses('batch', 'BatchData'), ...faults(404) },
    },
    async (c, { params: { batchId } }) => {
      const { events } = c.var.services;
      const batch = await events.find(batchScopesOf(c), batchId);
      if (batch === null) throw noBatch(batchId);
      return answerWithEvents(c, 'batch', events, batch);
    },
  );
}
