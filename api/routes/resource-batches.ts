import { z } from '@hono/zod-openapi';
import type { Instruction, ResourceBatch, WriteBatch } from '../../domain/batch/batch.ts';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { DroverError, hasCode } from '../../domain/errors.ts';
import { quoted, shortened } from '../../domain/json/shortened.ts';
import type { JsonFlaw } from '../../domain/json/source.ts';
import {
  MAX_DEPENDENCY_WAIT_SECONDS,
  MAX_IDEMPOTENCY_KEY,
  MAX_RESOURCE_BYTES,
  MAX_RESOURCES_PER_BATCH,
} from '../../domain/limits.ts';
import { depthFault } from '../../domain/schema/compiler.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import { fieldAt } from '../../domain/schema/json-pointer.ts';
import { sizeFault } from '../../domain/write/decide-writes.ts';
import { externalIdOf, isExternalId } from '../../domain/write/external-id.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import { allExternalIds } from '../../isolation/resources/reference-graph.ts';
import { acceptBatch, type KeyedRequest, type RequestedItems } from '../../services/batches/accept-batch.ts';
import { previewDeletion } from '../../services/deletes/preview-deletion.ts';
import { fittingPageSize, IDS_PER_PAGE, type NewItem } from '../../store/items/item-pages.ts';
import { acceptedBefore, answerAccepted, keyedRequest } from '../http/accepted.ts';
import type { ApiContext } from '../http/context.ts';
import {
  type Api,
  bodyArray,
  defineRoute,
  enveloped,
  faults,
  type Input,
  jsonResponse,
  queryBoolean,
  queryEnumOr,
  queryInteger,
} from '../http/define-route.ts';
import { success } from '../http/envelope.ts';
import { schemaDefinitionOf } from './schema-definitions.ts';

const TOO_LINKED =
  'the dry run needs more memory than DELETION_MEMORY_BYTES allows for the references of these resources: ask about fewer ids, or later';

const params = z.object({
  schemaDefinitionNameOrId: z.string().openapi({ description: 'Name, plural name or id of the schema definition' }),
});
/** What a request that starts a batch has been read to. */
type BatchInput<B> = Omit<Input<z.output<typeof params>, unknown, B>, 'query'>;
const KEY_FAULT = `must be 1 to ${MAX_IDEMPOTENCY_KEY} characters`;
const headers = z.object({
  'idempotency-key': z
    .string()
    .min(1, KEY_FAULT)
    .max(MAX_IDEMPOTENCY_KEY, KEY_FAULT)
    .optional()
    .openapi({ description: 'The same key and request gives the same batch; kept 24 h. A dry run binds none' }),
});
const isResource = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const resourcesBody = z
  .strictObject(
    {
      resources: bodyArray({ isRight: isResource, fault: 'must be an object' }, 'must be an array of objects')
        .refine((resources) => resources.length > 0, 'must hold at least one resource')
        .refine(
          (resources) => resources.length <= MAX_RESOURCES_PER_BATCH,
          `must hold at most ${MAX_RESOURCES_PER_BATCH} resources`,
        )
        .openapi({
          type: 'array',
          items: { type: 'object', additionalProperties: true },
          minItems: 1,
          maxItems: MAX_RESOURCES_PER_BATCH,
        }),
    },
    { error: 'must be an object with "resources"' },
  )
  .openapi('BatchResources');
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
const accepted = { 202: jsonResponse('The batch and its items are durable', Accepted) };

const ignoreUnknownFields = queryBoolean(false).openapi({
  description: 'Whether fields that the schema does not name are accepted, and not saved; otherwise they fail the item',
});
const DELETE_HINT =
  ': {"externalIds": […]} or {"deleteAll": true}; where a client cannot send a body with DELETE, POST the same to …/batch/delete';
const MERGING = [
  'Fields that are absent stay, `null` deletes a field, any other value replaces the old one whole.',
  'What is wrong with one resource fails that item alone.',
].join(' ');

/** The requests that start a batch (docs/api.md#the-three-requests). */
export function resourceBatchRoutes(api: Api): void {
  const path = '/api/resources/{schemaDefinitionNameOrId}/batch';
  const about = { path, tags: ['Resource batches'], params, headers };
  defineRoute(
    api,
    {
      ...about,
      method: 'post',
      operationId: 'uploadResources',
      summary: 'Upload resources',
      description: `${MERGING} A resource that does not exist is created.`,
      query: z.object({
        onconflict: queryEnumOr(['upsert', 'reject'], 'upsert').openapi({
          description: '`upsert` merges into a resource that exists; `reject` fails the item',
        }),
        ignoreUnknownFields,
        dependencyWaitTimeout: queryInteger({ min: 0, max: MAX_DEPENDENCY_WAIT_SECONDS, defaultValue: 0 }).openapi({
          description:
            'Seconds that an item waits for resources that it refers to and that are not there; 0: it fails at once',
        }),
      }),
      body: resourcesBody,
      bodyHint: ': {"resources": […]}',
      entries: 'resources',
      responses: { ...accepted, ...faults(404, 413, 415, 422) },
    },
    async (c, { query, ...input }) => acceptWrites(c, { operation: 'upload', options: query }, input),
  );
  defineRoute(
    api,
    {
      ...about,
      method: 'patch',
      operationId: 'patchResources',
      summary: 'Patch resources',
      description: `${MERGING} A resource that does not exist fails its item (\`not_found\`). Patches of one resource apply in the order received.`,
      query: z.object({ ignoreUnknownFields }),
      body: resourcesBody,
      bodyHint: ': {"resources": […]}',
      entries: 'resources',
      responses: { ...accepted, ...faults(404, 413, 415, 422) },
    },
    async (c, { query, ...input }) => acceptWrites(c, { operation: 'patch', options: query }, input),
  );
  const deleting = {
    ...about,
    body: deleteBody,
    bodyHint: DELETE_HINT,
    responses: {
      ...accepted,
      200: jsonResponse('What a delete would do; nothing is touched', Preview),
      ...faults(404, 413, 415, 422),
    },
  };
  const description =
    'Takes either `externalIds` or `deleteAll`. What a resource that stays refers to is skipped (`referenced`), unless `cascade` deletes that one, too.';
  defineRoute(
    api,
    { ...deleting, method: 'delete', operationId: 'deleteResources', summary: 'Delete resources', description },
    acceptDeletion,
  );
  defineRoute(
    api,
    {
      ...deleting,
      method: 'post',
      path: `${path}/delete`,
      operationId: 'deleteResourcesByPost',
      summary: 'Delete resources, for clients that cannot send a body with DELETE',
      description,
    },
    acceptDeletion,
  );
}

async function acceptDeletion(c: ApiContext, input: BatchInput<z.output<typeof deleteBody>>): Promise<Response> {
  const { params, body } = input;
  const { cascade, deleteAll, dryRun } = body;
  const how = { operation: 'delete', options: { cascade, deleteAll } } as const;
  const keyed = keyedRequest(c, how, input);
  const accepted = dryRun ? null : await acceptedBefore(c, keyed, params.schemaDefinitionNameOrId);
  if (accepted !== null) return accepted;
  const definition = await schemaDefinitionOf(c, params.schemaDefinitionNameOrId);
  if (dryRun) return preview(c, definition, body);
  const pages = deleteAll
    ? asItems(allExternalIds(c.var.services.database, c.var.scope, definition.id, IDS_PER_PAGE))
    : pagesOfIds(body.externalIds);
  return accept(c, definition, { ...how, pages, pageSize: IDS_PER_PAGE }, keyed);
}

const isIdToDelete = (value: unknown): value is string => typeof value === 'string' && isExternalId(value);
const deleteBody = z
  .strictObject(
    {
      externalIds: bodyArray(
        { isRight: isIdToDelete, fault: 'must be a string of 1 to 256 whole characters' },
        'must be an array of strings',
      )
        .openapi({ type: 'array', items: { type: 'string', minLength: 1, maxLength: 256 } })
        .default([]),
      cascade: z.boolean({ error: 'must be true or false' }).default(false),
      deleteAll: z.boolean({ error: 'must be true or false' }).default(false),
      dryRun: z.boolean({ error: 'must be true or false' }).default(false),
    },
    { error: 'must be an object' },
  )
  .superRefine(({ externalIds, deleteAll }, ctx) => {
    if (deleteAll && externalIds.length > 0) {
      ctx.addIssue({ code: 'custom', path: ['externalIds'], message: 'must be empty when deleteAll is true' });
    }
    if (!deleteAll && externalIds.length === 0) {
      ctx.addIssue({ code: 'custom', path: ['externalIds'], message: 'must not be empty unless deleteAll is true' });
    }
  })
  .openapi('BatchDelete');

const Preview = enveloped(
  z.object({
    dryRun: z.literal(true),
    schemaDefinitionId: z.string(),
    deletions: z.array(
      z.object({ schemaDefinitionId: z.string(), schemaDefinitionName: z.string(), count: z.number() }),
    ),
    totalDeletions: z.number(),
    skipped: z.number(),
    notFound: z.number(),
  }),
).openapi('DeletionPreview');

async function acceptWrites(
  c: ApiContext,
  how: Instruction<WriteBatch>,
  input: BatchInput<z.output<typeof resourcesBody>>,
): Promise<Response> {
  const { params, body, entryFlaws } = input;
  const keyed = keyedRequest(c, how, input);
  const accepted = await acceptedBefore(c, keyed, params.schemaDefinitionNameOrId);
  if (accepted !== null) return accepted;
  const definition = await schemaDefinitionOf(c, params.schemaDefinitionNameOrId);
  const items = body.resources.map((resource, index) =>
    toItem(resource, definition.externalIdField, entryFlaws.get(index)),
  );
  return accept(c, definition, { ...how, pages: [items], pageSize: fittingPageSize(items) }, keyed);
}

/** What is wrong with one resource fails that item alone: it is accepted with its fault. */
function toItem(resource: JsonObject, externalIdField: string, flaw: JsonFlaw | undefined): NewItem {
  const { externalId, faults } = externalIdOf(resource, externalIdField);
  const refused = (fault: ItemError): NewItem => ({ externalId, faults: [...faults, fault] });
  if (flaw !== undefined) {
    const field = fieldAt(flaw.path);
    // half of a character in an external id has a code of its own
    if (externalId === null && faults.some((fault) => fault.code === 'invalid_external_id' && fault.field === field))
      return { externalId, faults };
    return refused({ code: 'validation', message: `${quoted(field)} ${flaw.message}`, field: shortened(field) });
  }
  try {
    const body = JSON.stringify(resource);
    return Buffer.byteLength(body) > MAX_RESOURCE_BYTES ? refused(sizeFault(resource)) : { externalId, faults, body };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refused(depthFault(resource));
  }
}

/** Accepts a batch and answers 202. */
async function accept(
  c: ApiContext,
  definition: SchemaDefinition,
  request: Instruction<ResourceBatch> & Pick<RequestedItems, 'pages' | 'pageSize'>,
  keyed: KeyedRequest | null,
): Promise<Response> {
  const { services, scope } = c.var;
  await services.assertStarts();
  const { id, name, pluralName } = definition;
  const schemaNames = [id, name, ...(pluralName === undefined ? [] : [pluralName])].map((one) => one.toLowerCase());
  const batch = await acceptBatch(services, {
    ...request,
    scope,
    schemaDefinitionId: id,
    schemaName: name,
    ...(keyed !== null && { idempotency: { ...keyed, schemaNames } }),
  });
  services.metrics.accepted(request.operation, batch.total);
  return answerAccepted(c, batch);
}

async function preview(
  c: ApiContext,
  definition: SchemaDefinition,
  { externalIds, cascade, deleteAll }: { externalIds: readonly string[]; cascade: boolean; deleteAll: boolean },
): Promise<Response> {
  try {
    const found = await previewDeletion(c.var.services, c.var.scope, definition, { externalIds, cascade, deleteAll });
    return c.json(
      success('Nothing was deleted', { dryRun: true as const, schemaDefinitionId: definition.id, ...found }),
      200,
    );
  } catch (error) {
    throw hasCode(error, 'memory_exceeded') ? new DroverError('memory_exceeded', TOO_LINKED) : error;
  }
}

function* pagesOfIds(externalIds: readonly string[]): Generator<NewItem[]> {
  for (let at = 0; at < externalIds.length; at += IDS_PER_PAGE) {
    yield externalIds.slice(at, at + IDS_PER_PAGE).map((externalId) => ({ externalId }));
  }
}

async function* asItems(pages: AsyncIterable<readonly string[]>): AsyncGenerator<NewItem[]> {
  for await (const page of pages) yield page.map((externalId) => ({ externalId }));
}
