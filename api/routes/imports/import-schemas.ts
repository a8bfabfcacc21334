import { z } from '@hono/zod-openapi';
import { BATCH_STATUSES } from '../../../domain/batch/batch.ts';
import { ERROR_CODES, ITEM_STATUSES } from '../../../domain/batch/outcome.ts';
import { IMPORT_FORMATS, IMPORT_OPERATIONS } from '../../../domain/imports/import.ts';
import { enveloped, pageOf } from '../../http/define-route.ts';
import { Progress } from '../batches/batch-schemas.ts';

/** Shapes of answers about imports (docs/api.md#imports), for the OpenAPI document. */
const count = z.number().int().min(0);

const ImportData = z
  .object({
    importId: z.string(),
    status: z.enum(BATCH_STATUSES),
    suspended: z.boolean(),
    schemaDefinitionId: z.string().nullable().openapi({ description: 'Null where each row names its own' }),
    schemaName: z.string().nullable(),
    format: z.enum(IMPORT_FORMATS),
    label: z.string().optional(),
    startAt: z.iso.datetime().optional().openapi({ description: 'Nothing of its first run begins before' }),
    createdBy: z.string().optional().openapi({ description: 'The `sub` of the token that it was sent with' }),
    undoneBy: z.string().optional().openapi({ description: 'The bulk operation that undoes it' }),
    options: z.object({
      operation: z.enum(IMPORT_OPERATIONS),
      onconflict: z.enum(['upsert', 'reject']),
      ignoreUnknownFields: z.boolean(),
      cascade: z.boolean().optional(),
      dependencyWaitTimeout: z.union([count, z.literal('import')]).openapi({ description: 'In seconds, or `import`' }),
      priority: count,
      validateOnly: z.boolean().optional(),
      maxPerSecond: count.optional(),
      undoable: z.literal(true).optional(),
      retentionDays: count.optional(),
    }),
    progress: Progress,
    counts: z.object(Object.fromEntries(ITEM_STATUSES.map((status) => [status, count]))),
    actions: z.object({ created: count, updated: count, unchanged: count, deleted: count, cascaded: count }),
    rowsRead: count.openapi({ description: 'Rows that are in batches' }),
    bytesRead: count.openapi({ description: 'Bytes of these rows' }),
    bytesReceived: count.openapi({ description: 'Bytes of content that are stored, unpacked' }),
    sealed: z.boolean().openapi({ description: 'All content is stored' }),
    brokenOff: z.string().optional().openapi({ description: 'Why its content will never be complete' }),
    warnings: z
      .array(z.string())
      .optional()
      .openapi({ description: 'Cycles of rows that were not applied although nothing else was missing, and why' }),
    rowsPerSecond: count.optional().openapi({ description: 'Over the last minute' }),
    estimatedCompletionAt: z.iso.datetime().optional(),
    batches: z.object({
      total: count,
      running: count.openapi({ description: 'Not finished; those that only wait are included' }),
    }),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().optional(),
    completedAt: z.iso.datetime().optional(),
    errors: z.object({ summary: z.partialRecord(z.enum(ERROR_CODES), count), message: z.string() }).optional(),
    source: z.enum(['workflow', 'store']),
  })
  .openapi('ImportData');

export const Import = enveloped(ImportData).openapi('Import');
export const ImportList = pageOf(ImportData).openapi('ImportList');
export const ImportAccepted = enveloped(z.object({ importId: z.string() })).openapi('ImportAccepted');
export const importParams = z.object({ importId: z.string() });
