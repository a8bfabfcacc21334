import { z } from '@hono/zod-openapi';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { DELIMITERS, type DelimiterName } from '../../../domain/imports/csv.ts';
import { MAX_DRY_RUN_MS, MAX_PREVIEWED_BYTES, MAX_PREVIEWED_FAULTS } from '../../../domain/limits.ts';
import { previewImport } from '../../../services/imports/preview-import.ts';
import type { ImportRequest } from '../../../services/imports/receive/receive-import.ts';
import { badRequest } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import { enveloped } from '../../http/define-route.ts';
import { answerExactly, success } from '../../http/envelope.ts';
import { Actions, Counts, ItemErrors } from '../batches/batch-schemas.ts';

const count = z.number().int().min(0);

export const ImportPreview = enveloped(
  z.object({
    dryRun: z.literal(true),
    schemaDefinitionId: z.string().nullable(),
    schemaName: z.string().nullable(),
    delimiter: z.enum(Object.keys(DELIMITERS) as [DelimiterName, ...DelimiterName[]]).optional(),
    columns: z
      .array(
        z.object({
          column: z.string(),
          field: z.string().nullable().openapi({ description: 'Null: the column is passed over' }),
          type: z.string().optional(),
        }),
      )
      .optional(),
    faults: z.array(z.string()).openapi({ description: 'For which the import would be refused' }),
    rows: count.openapi({ description: 'Rows that were looked at' }),
    isWhole: z.boolean().openapi({ description: 'These are all rows of the content' }),
    counts: Counts,
    actions: Actions,
    errors: z
      .array(z.object({ line: count, externalId: z.string().nullable(), errors: ItemErrors }))
      .max(MAX_PREVIEWED_FAULTS),
    resources: z.array(z.object({ line: count, resource: z.record(z.string(), z.unknown()) })),
  }),
).openapi('ImportPreview');

/** Answers a dry run. At most a few are decided at a time, as those of uploads. */
export async function previewed(
  c: ApiContext,
  request: ImportRequest,
  content: AsyncIterable<Uint8Array> | null,
  isInParts: boolean,
): Promise<Response> {
  if (isInParts) throw badRequest('format: not with dryRun, which needs the content');
  if (content === null) throw badRequest('body: is empty: at least one row is needed');
  const { services, scope } = c.var;
  const { database, schemas, config } = services;
  const deadline = Date.now() + MAX_DRY_RUN_MS;
  const parts = { database, schemas, resourcesPerActivity: config.RESOURCES_PER_ACTIVITY };
  c.var.load.addBodyBytes(MAX_PREVIEWED_BYTES);
  const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
    services.previews({ fairnessKey: scopeKey(scope), limitMs: MAX_DRY_RUN_MS, work });
  const preview = await previewImport(parts, request, content, inTurn, deadline);
  // the rest of the content is not read
  if (!preview.isWhole) c.header('Connection', 'close');
  const { schemaDefinitionId = null, schemaName = null } = request;
  return answerExactly(c, success('Nothing was stored', { dryRun: true, schemaDefinitionId, schemaName, ...preview }));
}
