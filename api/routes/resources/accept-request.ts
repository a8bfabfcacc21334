import { z } from '@hono/zod-openapi';
import { type AboutBatch, saidOf } from '../../../domain/batch/about.ts';
import type { Instruction, ResourceBatch } from '../../../domain/batch/batch.ts';
import { MAX_IDEMPOTENCY_KEY, MAX_RESOURCES_PER_ACTIVITY, MAX_RETENTION_DAYS } from '../../../domain/limits.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import { acceptBatch, type KeyedRequest, type RequestedItems } from '../../../services/batches/accept-batch.ts';
import { answerAccepted } from '../../http/accepted.ts';
import type { ApiContext } from '../../http/context.ts';
import { enveloped, type Input, jsonResponse, optionalInteger, queryBoolean } from '../../http/define-route.ts';

/** The common part of the requests that start a batch of resources: upload, patch, delete (docs/api.md#the-three-requests). */
const path = '/api/resources/{schemaDefinitionNameOrId}/batch';

const params = z.object({
  schemaDefinitionNameOrId: z.string().openapi({ description: 'Name, plural name or id of the schema definition' }),
});
/** A request that starts a batch, as it was read. */
export type BatchInput<B> = Omit<Input<z.output<typeof params>, unknown, B>, 'query'>;
const KEY_FAULT = `must be 1 to ${MAX_IDEMPOTENCY_KEY} characters`;
const headers = z.object({
  'idempotency-key': z
    .string()
    .min(1, KEY_FAULT)
    .max(MAX_IDEMPOTENCY_KEY, KEY_FAULT)
    .optional()
    .openapi({ description: 'The same key and request gives the same batch; kept 24 h. A dry run binds none' }),
});
/** The option `resourcesPerActivity`. */
export const FAN_OUT = { min: 1, max: MAX_RESOURCES_PER_ACTIVITY };
export const FAN_OUT_DESCRIPTION =
  'Most resources that one activity works on, and so how far the batch fans out; 1: an activity for each resource. By default as the installation is configured';

/** Options in the query of every request that starts a batch of resources: what is kept, and how long. */
export const KEPT = {
  retentionDays: optionalInteger({ min: 0, max: MAX_RETENTION_DAYS }).openapi({
    description:
      'Days that the batch is kept once it has finished; 0: for ever. By default as the installation is configured',
  }),
  // absent where it is not asked for: keys of earlier versions are bound to requests without it
  undoable: queryBoolean(false)
    .transform((value) => value || undefined)
    .openapi({
      type: 'boolean',
      default: false,
      description: 'Keeps what each item changes until the batch is removed, so that it can be undone (`POST …/undo`)',
    }),
};

export const RESOURCE_BATCH = { path, tags: ['Resource batches'], params, headers };

const Accepted = enveloped(
  z.object({
    batchId: z.string(),
    message: z.string(),
    recordCount: z
      .number()
      .openapi({ description: 'Records in the batch; of a delete, the external ids in the request' }),
    schemaDefinitionId: z.string(),
  }),
).openapi('Accepted');
export const ACCEPTED = { 202: jsonResponse('The batch and its items are durable', Accepted) };

/** Accepts a batch and answers 202. */
export async function accept(
  c: ApiContext,
  definition: SchemaDefinition,
  {
    about,
    ...request
  }: Instruction<ResourceBatch> & Pick<RequestedItems, 'pages' | 'pageSize'> & { readonly about: AboutBatch },
  keyed: KeyedRequest | null,
): Promise<Response> {
  const { services, scope } = c.var;
  await services.assertStarts();
  const { id, name, pluralName } = definition;
  const schemaNames = [id, name, ...(pluralName === undefined ? [] : [pluralName])].map((one) => one.toLowerCase());
  const batch = await acceptBatch(services, {
    ...request,
    ...saidOf(about),
    scope,
    schemaDefinitionId: id,
    schemaName: name,
    ...(keyed !== null && { idempotency: { ...keyed, schemaNames } }),
  });
  services.metrics.accepted(request.operation, batch.total, c.var.beganAt);
  return answerAccepted(c, batch);
}
