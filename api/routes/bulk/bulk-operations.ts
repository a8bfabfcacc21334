import { z } from '@hono/zod-openapi';
import { v7 as uuidv7 } from 'uuid';
import { type Scope, scopeKey } from '../../../domain/batch/scope.ts';
import { BULK_VERBS, type BulkVerb } from '../../../domain/bulk/bulk-operation.ts';
import { CLOCKS_DIFFER_MS } from '../../../domain/clocks.ts';
import { DroverError } from '../../../domain/errors.ts';
import { MAX_BULK_COUNTED, MAX_BULK_RECENT } from '../../../domain/limits.ts';
import { assertRoomForBulk, startBulkOrLeave, toBeStartedBulk } from '../../../services/bulk/start-bulk.ts';
import { countMatching, selectBatches } from '../../../store/batches/list-batches.ts';
import {
  type BulkOperationDocument,
  findBulkOperation,
  insertBulkOperation,
  requestBulkCancel,
} from '../../../store/bulk/bulk-operations.ts';
import { notFound } from '../../http/api-error.ts';
import type { ApiContext, Services } from '../../http/context.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse, queryBoolean } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { filterBody, filterOf } from '../batches/batch-filter.ts';
import { batchScopesOf } from '../batches/find-batch.ts';
import { BulkOperation, bulkView } from './bulk-schemas.ts';

const tags = ['Bulk operations'];
const count = z.number().int().min(0);
const BulkPreview = enveloped(
  z.object({ dryRun: z.literal(true), matched: count, totalIsCapped: z.literal(true).optional() }),
).openapi('BulkPreview');

const body = z
  .strictObject({ filter: filterBody }, { error: 'must be an object with "filter"' })
  .openapi('BulkRequest');

const SUMMARIES = {
  cancel: 'Cancel all batches that fit a filter',
  suspend: 'Suspend all batches that fit a filter',
  resume: 'Resume all batches that fit a filter',
  retry: 'Retry all batches that fit a filter',
  delete: 'Remove all batches that fit a filter for good',
} as const satisfies Record<BulkVerb, string>;

/** Many batches at once (docs/api.md#many-batches-at-once). */
export function bulkOperationRoutes(api: Api): void {
  for (const verb of BULK_VERBS) {
    defineRoute(
      api,
      {
        method: 'post',
        path: `/api/batches/${verb}`,
        operationId: `${verb}Batches`,
        tags,
        summary: SUMMARIES[verb],
        description:
          'Carried out by a workflow, also after a crash. Batches that are accepted after the request are not matched; those that do not fit the filter any more when their turn comes are skipped.',
        query: z.object({
          dryRun: queryBoolean(false).openapi({ description: 'Only count the batches that fit now' }),
        }),
        body,
        bodyHint: ': {"filter": {"status": "failed"}}',
        responses: {
          200: jsonResponse('A dry run: how many batches fit', BulkPreview),
          202: jsonResponse('The bulk operation is durable', BulkOperation),
          ...faults(413, 415),
        },
      },
      async (c, { query: { dryRun }, body: { filter: asked }, json }) => {
        const filter = await filterOf(c, asked);
        const scopes = batchScopesOf(c);
        const { database } = c.var.services;
        if (dryRun) {
          const counted = await countMatching(database, scopes, filter, MAX_BULK_COUNTED);
          const isCapped = counted > MAX_BULK_COUNTED;
          const matched = Math.min(counted, MAX_BULK_COUNTED);
          const data = { dryRun: true as const, matched, ...(isCapped && { totalIsCapped: true as const }) };
          return c.json(success('Nothing was changed', data), 200);
        }
        const given = (json as { filter: Record<string, unknown> }).filter;
        await assertRoomForBulk(database, c.var.scope);
        const operation = await toOperation(c, verb, given, filter, scopes);
        await insertBulkOperation(database, operation);
        await startBulkOrLeave(c.var.services, operation);
        return c.json(success('Bulk operation accepted', bulkView(operation)), 202);
      },
    );
  }
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/bulk-operations/{bulkOperationId}',
      operationId: 'getBulkOperation',
      tags,
      params: z.object({ bulkOperationId: z.string() }),
      summary: 'Status of a bulk operation',
      description:
        'How many batches it has matched, and what has become of them so far. It is kept as long as a finished batch.',
      responses: { 200: jsonResponse('The bulk operation', BulkOperation), ...faults(404) },
    },
    async (c, { params: { bulkOperationId } }) => {
      const operation = await bulkOf(c, bulkOperationId);
      return c.json(success(`Bulk operation is ${operation.status}`, bulkView(operation)));
    },
  );
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/bulk-operations/{bulkOperationId}/cancel',
      operationId: 'cancelBulkOperation',
      tags,
      params: z.object({ bulkOperationId: z.string() }),
      summary: 'End a bulk operation',
      description:
        'The batches whose turn has not come are left as they are; what is done stays. The undo of an import ends at once; the undo of a batch that runs goes on by itself.',
      responses: { 200: jsonResponse('The bulk operation', BulkOperation), ...faults(404, 409) },
    },
    async (c, { params: { bulkOperationId } }) => {
      const operation = await bulkOf(c, bulkOperationId);
      const cancelled = await requestBulkCancel(c.var.services.database, operation._id);
      const now = cancelled ?? (await bulkOf(c, bulkOperationId));
      if (cancelled === null && now.status !== 'cancelled')
        throw new DroverError('operation_not_allowed', `the bulk operation is finished (${now.status})`);
      return c.json(success(`Bulk operation is ${now.status}`, bulkView(now)));
    },
  );
}

/** The bulk operation that a path names. @throws DroverError 404 */
async function bulkOf(c: ApiContext, bulkOperationId: string): Promise<BulkOperationDocument> {
  const operation = await findBulkOperation(c.var.services.database, c.var.scope, bulkOperationId);
  if (operation === null) throw notFound(`there is no bulk operation "${bulkOperationId}"`);
  return operation;
}

/**
 * Batches that were accepted since a time by which every process agrees that it is before the request: they exist now, so none of them is accepted later, by
 * whichever clock. @throws DroverError 429 if there are too many.
 */
async function recentOnes(
  { database }: Services,
  scopes: readonly Scope[],
  filter: BulkOperationDocument['filter'],
  since: number,
): Promise<string[]> {
  const recent: string[] = [];
  const within = { ...filter, createdAfter: Math.max(filter.createdAfter ?? 0, since - 1) };
  for (let after: string | null = null; ; ) {
    const { ids, next }: Awaited<ReturnType<typeof selectBatches>> = await selectBatches(
      database,
      scopes,
      within,
      after,
    );
    recent.push(...ids);
    if (recent.length > MAX_BULK_RECENT)
      throw new DroverError(
        'too_many_requests',
        'too many batches of the last minute fit: try again later, or with createdBefore',
      );
    if (next === null) return recent;
    after = next;
  }
}

async function toOperation(
  c: ApiContext,
  verb: BulkVerb,
  asked: Record<string, unknown>,
  filter: BulkOperationDocument['filter'],
  scopes: Scope[],
): Promise<BulkOperationDocument> {
  const createdAt = new Date();
  const since = createdAt.getTime() - CLOCKS_DIFFER_MS;
  const recent = await recentOnes(c.var.services, scopes, filter, since);
  const { createdBy } = c.var;
  return {
    _id: uuidv7(),
    scope: scopeKey(c.var.scope),
    scopes,
    verb,
    asked,
    // a batch that is accepted later has a later id than this, whichever process accepts it
    filter: {
      ...filter,
      createdBefore: Math.min(filter.createdBefore ?? Number.POSITIVE_INFINITY, since),
    },
    ...(createdBy !== undefined && { createdBy }),
    status: 'queued',
    matched: recent.length,
    recent,
    selected: { after: null },
    pages: 0,
    place: { page: 0, offset: 0 },
    done: 0,
    skipped: 0,
    failed: {},
    ...toBeStartedBulk(createdAt),
    createdAt,
  };
}
