import { z } from '@hono/zod-openapi';
import { BULK_OPERATIONS, BULK_STATUSES } from '../../../domain/bulk/bulk-operation.ts';
import type { BulkOperationDocument } from '../../../store/bulk/bulk-operations.ts';
import { enveloped } from '../../http/define-route.ts';
import { Actions, Counts } from '../batches/batch-schemas.ts';

const count = z.number().int().min(0);
export const BulkOperationData = z
  .object({
    bulkOperationId: z.string(),
    operation: z.enum(BULK_OPERATIONS),
    filter: z.record(z.string(), z.unknown()).openapi({ description: 'As it was asked; of an undo, its import' }),
    status: z.enum(BULK_STATUSES),
    matched: count.openapi({
      description: 'Batches that fit the filter when they were selected; all of them once `done` begins to grow',
    }),
    done: count,
    skipped: count.openapi({
      description:
        'They did not fit the filter any more when their turn came; of an undo: they were undone or removed before',
    }),
    failed: z.record(z.string(), count).openapi({ description: 'Those whose state did not allow it, by code' }),
    counts: Counts.optional().openapi({ description: 'Of an undo, at its end: what became of the items' }),
    actions: Actions.optional(),
    createdBy: z.string().optional(),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().optional(),
    completedAt: z.iso.datetime().optional(),
  })
  .openapi('BulkOperationData');
export const BulkOperation = enveloped(BulkOperationData).openapi('BulkOperation');

/** A bulk operation as callers read it (docs/api.md#many-batches-at-once). */
export const bulkView = (operation: BulkOperationDocument) => ({
  bulkOperationId: operation._id,
  operation: operation.verb,
  filter: operation.asked,
  status: operation.status,
  matched: operation.matched,
  done: operation.done,
  skipped: operation.skipped,
  failed: operation.failed,
  ...operation.items,
  ...(operation.createdBy !== undefined && { createdBy: operation.createdBy }),
  createdAt: operation.createdAt.toISOString(),
  ...(operation.startedAt && { startedAt: operation.startedAt.toISOString() }),
  ...(operation.completedAt && { completedAt: operation.completedAt.toISOString() }),
});
