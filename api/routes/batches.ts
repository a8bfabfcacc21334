import { z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { withinRoom } from '../../domain/batch/answer-room.ts';
import { BATCH_STATUSES, BATCH_TYPES, isTerminal, OPERATIONS, type Operation } from '../../domain/batch/batch.ts';
import { NAMESPACE_SCOPE, type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { totalText } from '../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../domain/limits.ts';
import { cancelBatch, resumeBatch, retryBatch, suspendBatch } from '../../services/batches/control-batch.ts';
import { purgeBatch } from '../../services/batches/purge-batch.ts';
import { viewBatch, viewListedBatch } from '../../services/batches/view-batch.ts';
import { type BatchDocument, findBatch, listBatches, markDeleted } from '../../store/batches/batches.ts';
import { findSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import { notFound } from '../http/api-error.ts';
import type { ApiContext } from '../http/context.ts';
import type { ListPlace } from '../http/cursors.ts';
import {
  type Api,
  defineRoute,
  enveloped,
  faults,
  jsonResponse,
  pageQuery,
  queryBoolean,
  queryEnum,
  queryEnumOr,
} from '../http/define-route.ts';
import { success } from '../http/envelope.ts';
import { paginationOf } from '../http/pagination.ts';
import { headOnly } from '../http/streams.ts';
import { assertAwaited } from '../middleware/outage.ts';
import type { BatchEvent } from '../state/batch-events.ts';
import { Batch, BatchList } from './batch-schemas.ts';

const params = z.object({ batchId: z.string() });
const tags = ['Batches'];

export async function batchOf(c: ApiContext, batchId: string): Promise<BatchDocument> {
  const batch = await findBatch(c.var.services.database, batchScopesOf(c), batchId);
  if (batch === null) throw noBatch(batchId);
  return batch;
}

/** Whose batches a caller's are: those of its tenant, and for the operator those that act on the namespace. */
const batchScopesOf = (c: ApiContext): Scope[] =>
  c.var.actsOnNamespace ? [c.var.scope, NAMESPACE_SCOPE] : [c.var.scope];

const noBatch = (batchId: string) => notFound(`there is no batch "${batchId}"`);

/** Status, lists, control, events and removal of batches (docs/api.md#retrying-watching-controlling). */
export function batchRoutes(api: Api): void {
  readRoutes(api);
  controlRoutes(api);
  eventRoute(api);
  defineRoute(
    api,
    {
      method: 'delete',
      path: '/api/batches/{batchId}',
      operationId: 'deleteBatch',
      tags,
      params,
      summary: 'Remove a batch for good',
      description:
        'Removes the batch, its items and its workflow execution; a running one is cancelled first. Resources stay. From the answer on the batch is a 404 and nothing of it begins; what cannot be removed at once, as Temporal cannot be reached, is removed later.',
      responses: { 200: jsonResponse('Removed', enveloped(z.object({ batchId: z.string() }))), ...faults(404) },
    },
    async (c, { params: { batchId } }) => {
      await removeBatchForGood(c, await batchOf(c, batchId));
      return c.json(success('Batch deleted', { batchId }));
    },
  );
}

/** Time in which a request has the workflow of its batch end and removes what there is of it in Temporal, in ms. */
const PURGE_TIMEOUT_MS = 4_000;

/**
 * From the mark on the batch is a 404; what cannot be removed at once, recovery removes.
 * @param isTemporalThere false where the caller has just found that it is not.
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

function readRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/batches/{batchId}',
      operationId: 'getBatch',
      tags,
      params,
      summary: 'Status of a batch',
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
      // one that has been deleted has left its batches behind, under its id
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

/** What 200 says, also where Temporal cannot be reached. */
const HOLDS =
  'The request is stored before the answer, and holds from then on: at most the slice of 100 resources that is being written is finished.';
const STORED =
  'It does not depend on Temporal: if Temporal cannot be reached, or accepts no more calls for now, the answer is 200 with the batch as it is stored (`source: store`), and the control request is delivered to the workflow within seconds after Temporal is available again.';

const CONTROLS = {
  suspend: { act: suspendBatch, summary: 'Start nothing new until resumed', description: `${HOLDS} ${STORED}` },
  resume: {
    act: resumeBatch,
    summary: 'Go on where it stopped',
    description: `The request is stored before the answer. ${STORED}`,
  },
  cancel: { act: cancelBatch, summary: 'End it; what was applied stays', description: `${HOLDS} ${STORED}` },
} as const;

function controlRoutes(api: Api): void {
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
        // a workflow that the control request was not delivered to cannot be queried either, or does not know of it
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
      // as it was accepted: the run itself may be over by now
      const view = await viewListedBatch(c.var.services.database, batch);
      return c.json(success(`Batch is ${view.status}`, view), 202);
    },
  );
}

function eventRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/batches/{batchId}/events',
      operationId: 'watchBatch',
      tags,
      params,
      headers: z.object({
        'last-event-id': z.string().optional().openapi({ description: 'Id of the last event that was seen' }),
      }),
      summary: 'Server-sent events: one at each change, at most 4 a second, and a last one at the end',
      responses: {
        200: {
          description: 'Events `batch`, each with the batch',
          content: { 'text/event-stream': { schema: z.string() } },
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
      // A client that has seen the last event connects again: 204 ends that.
      if (seen !== undefined && isTerminal(batch.status)) {
        const now = await events.read(batch, batchId);
        if (now?.isLast && now.id === seen) return c.body(null, 204);
      }
      const head = headOnly(c, 'text/event-stream');
      if (head !== null) return head;
      // the stream of an abandoned request would neither be read nor ended
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
