import { z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { isTerminal } from '../../../domain/batch/batch.ts';
import type { BatchDocument } from '../../../store/batches/batches.ts';
import type { ApiContext } from '../../http/context.ts';
import { type Api, defineRoute, faults } from '../../http/define-route.ts';
import { headOnly } from '../../http/streams.ts';
import { assertAwaited } from '../../middleware/outage.ts';
import type { BatchEvent } from '../../state/batch-events.ts';
import { batchScopesOf, noBatch } from './find-batch.ts';

/** OpenAPI 3.1 has no word for the events of a stream: its text is described, and its events in an extension. */
const EVENT_STREAM = z.string().openapi({
  description: 'Server-sent events (WHATWG HTML, section 9.2). The data of each is a `BatchData` as JSON, on one line',
  example: 'event: batch\nid: 7\ndata: {"batchId":"0198…","status":"processing"}\n\n',
  'x-events': { batch: { $ref: '#/components/schemas/BatchData' } },
});

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
      headers: z.object({
        'last-event-id': z.string().optional().openapi({ description: 'Id of the last event that was seen' }),
      }),
      summary: 'Server-sent events: one at each change, at most 4 a second, and a last one at the end',
      description:
        'Each event is named `batch`, and has an id and the batch as JSON; comments keep a silent stream alive. With `Last-Event-ID` a stream goes on where another one broke off.',
      responses: {
        200: {
          description: 'Events `batch`, each with the batch',
          content: { 'text/event-stream': { schema: EVENT_STREAM } },
        },
        204: { description: 'The Last-Event-ID is that of the last event: there are no more' },
        ...faults(404),
      },
    },
    async (c, { params: { batchId } }) => {
      const { events } = c.var.services;
      const batch = await events.find(batchScopesOf(c), batchId);
      if (batch === null) throw noBatch(batchId);
      const seen = c.req.header('last-event-id');
      // A client that has seen the last event reconnects: 204 stops that.
      if (seen !== undefined && isTerminal(batch.status)) {
        const now = await events.read(batch, batchId);
        if (now?.isLast && now.id === seen) return c.body(null, 204);
      }
      const head = headOnly(c, 'text/event-stream');
      if (head !== null) return head;
      // the stream of a disconnected request would neither be read nor ended
      assertAwaited();
      c.var.load.becomeStream();
      return streamEvents(c, batch, seen);
    },
  );
}

/** A client that reads slowly misses states in between, never the latest one. */
function streamEvents(c: ApiContext, batch: BatchDocument, lastSeen: string | undefined): Response {
  const { events } = c.var.services;
  return streamSSE(c, async (stream) => {
    let next: BatchEvent | 'over' | undefined;
    let isSilent = false;
    let notify = (): void => undefined;
    const unwatch = events.watch(batch, batch._id, (event) => {
      next = event;
      notify();
    });
    const silence = setInterval(() => {
      isSilent = true;
      notify();
    }, events.commentEveryMs);
    stream.onAbort(() => {
      next = 'over';
      notify();
    });
    let seen = lastSeen;
    try {
      for (;;) {
        const event = next;
        next = undefined;
        if (event === 'over') return;
        if (event !== undefined) {
          if (event.id !== seen)
            await stream.writeSSE({ event: 'batch', id: event.id, data: JSON.stringify(event.view) });
          seen = event.id;
          if (event.isLast) return;
        } else if (isSilent) {
          isSilent = false;
          await stream.write(': still here\n\n');
        } else await new Promise<void>((resolve) => (notify = resolve));
      }
    } finally {
      clearInterval(silence);
      unwatch();
    }
  });
}
