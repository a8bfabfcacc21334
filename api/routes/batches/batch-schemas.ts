import { z } from '@hono/zod-openapi';
import { BATCH_STATUSES, BATCH_TYPES, OPERATIONS, type Operation } from '../../../domain/batch/batch.ts';
import { ERROR_CODES, ITEM_STATUSES } from '../../../domain/batch/outcome.ts';
import { MAX_MISSING_PER_OUTCOME, MAX_PENDING_RESOURCES } from '../../../domain/limits.ts';
import { enveloped, pageOf } from '../../http/define-route.ts';

/** Shapes of answers about batches (docs/api.md#status-and-outcomes), for the OpenAPI document. */
const count = z.number().int().min(0);
const MissingDependency = z
  .object({
    schemaDefinitionId: z.string().openapi({ description: 'Empty while there is no such schema definition' }),
    schemaName: z.string(),
    externalId: z.string(),
  })
  .openapi('MissingDependency');

export const Progress = z.object({
  totalRecords: count,
  processedRecords: count,
  successfulRecords: count,
  pendingRecords: count,
  failedRecords: count,
  successRate: z.number().min(0).max(1),
});

const flag = z.boolean();
const fanOut = {
  resourcesPerActivity: count.optional(),
  retentionDays: count.optional(),
  undoable: z.literal(true).optional(),
};
/** The options of the request, with defaults filled in. */
const Options = {
  upload: z
    .object({
      onconflict: z.enum(['upsert', 'reject']),
      ignoreUnknownFields: flag,
      dependencyWaitTimeout: z.union([count, z.literal('import')]).openapi({
        description: 'In seconds; of a batch of an import, `import`: until the import has ended',
      }),
      ...fanOut,
    })
    .openapi('UploadOptions'),
  patch: z.object({ ignoreUnknownFields: flag, ...fanOut }).openapi('PatchOptions'),
  delete: z.object({ cascade: flag, deleteAll: flag, ...fanOut }).openapi('DeleteOptions'),
  undo: z
    .object({ undoOf: z.string().openapi({ description: 'The batch that it takes back' }) })
    .openapi('UndoOptions'),
  terminate: z
    .object({
      deleteReason: z.string().optional(),
      skipCustomListeners: flag,
      skipSubprocesses: flag,
      failIfNotExists: flag,
      invocationsPerBatchJob: count,
      batchJobsPerSeed: count,
      terminationGraceSeconds: z.number(),
      reach: z.enum(['tenant', 'namespace']),
      requestedAt: z.iso.datetime(),
    })
    .openapi('TerminateOptions'),
} satisfies Record<Operation, z.ZodType>;

export const Counts = z.object(Object.fromEntries(ITEM_STATUSES.map((status) => [status, count])));
export const Actions = z.object({
  created: count,
  updated: count,
  unchanged: count,
  deleted: count,
  cascaded: count,
  reverted: count.optional().openapi({ description: 'Of an undo' }),
});

const BatchData = z
  .object({
    batchId: z.string(),
    batchType: z.enum(Object.values(BATCH_TYPES) as [string, ...string[]]),
    operation: z.enum(OPERATIONS),
    status: z.enum(BATCH_STATUSES),
    suspended: z.boolean(),
    schemaDefinitionId: z.string().nullable(),
    schemaName: z.string().nullable(),
    progress: Progress,
    counts: Counts,
    actions: Actions,
    label: z.string().optional(),
    priority: count.optional().openapi({ description: '1 (urgent) to 5; absent: 3, which it has not asked for' }),
    startAt: z.iso.datetime().optional().openapi({ description: 'Nothing of its first run begins before' }),
    createdBy: z.string().optional().openapi({ description: 'The `sub` of the token that it was sent with' }),
    undoneBy: z.string().optional().openapi({ description: 'The batch that has taken it back, or is doing so' }),
    validateOnly: z.literal(true).optional().openapi({ description: 'Its items are only checked' }),
    importId: z.string().optional().openapi({ description: 'The import that it is a batch of' }),
    options: z.union([Options.upload, Options.patch, Options.delete, Options.undo, Options.terminate]),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().optional(),
    completedAt: z.iso.datetime().optional(),
    pendingUntil: z.iso.datetime().optional(),
    errors: z
      .object({
        summary: z.partialRecord(z.enum(ERROR_CODES), count),
        details: z.record(z.string(), z.string()).openapi({ description: 'Index to message, the first 100' }),
        message: z.string(),
      })
      .optional(),
    pendingResources: z
      .array(
        z.object({
          id: z.string(),
          resourceExternalId: z.string(),
          schemaDefinitionId: z.string(),
          schemaName: z.string(),
          expiresAt: z.iso.datetime(),
          createdAt: z.iso.datetime(),
          missingDependencies: z.array(MissingDependency).max(MAX_MISSING_PER_OUTCOME),
          missingTotal: count.openapi({ description: 'How many it misses: `missingDependencies` has the first 20' }),
        }),
      )
      .max(MAX_PENDING_RESOURCES)
      .optional(),
    pendingResourcesTotal: count
      .optional()
      .openapi({ description: 'How many wait: `pendingResources` has the first, as far as they fit into the answer' }),
    source: z.enum(['workflow', 'store']),
  })
  .openapi('BatchData');

export const Batch = enveloped(BatchData).openapi('Batch');
export const BatchList = pageOf(BatchData).openapi('BatchList');

export const ItemErrors = z.array(
  z.object({ code: z.enum(ERROR_CODES), message: z.string(), field: z.string().optional() }),
);
const Item = z
  .object({
    index: count,
    externalId: z.string().nullable(),
    status: z.enum(ITEM_STATUSES),
    action: z.enum(['created', 'updated', 'unchanged', 'deleted', 'reverted']).optional(),
    errors: ItemErrors.optional(),
    missingDependencies: z.array(MissingDependency).max(MAX_MISSING_PER_OUTCOME).optional(),
    missingTotal: count
      .optional()
      .openapi({ description: 'How many it misses: `missingDependencies` has the first 20' }),
    attempts: count,
    line: count.optional().openapi({ description: 'With `include=resource`: the line of a row of an import' }),
    resource: z
      .unknown()
      .optional()
      .openapi({ description: 'With `include=resource`: the JSON that was sent, or the text of a row that is none' }),
  })
  .openapi('Item');
/** An item of a dry run. */
export const PreviewedItem = Item.omit({ attempts: true })
  .extend({
    isShortened: z
      .literal(true)
      .optional()
      .openapi({ description: 'The answer has no room for all of its errors and missing resources' }),
  })
  .openapi('PreviewedItem');
export const ItemList = pageOf(Item).openapi('ItemList');
