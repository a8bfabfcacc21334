import { z } from '@hono/zod-openapi';
import { DroverError, hasCode } from '../../../domain/errors.ts';
import { MAX_EXTERNAL_ID } from '../../../domain/limits.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import { isExternalId } from '../../../domain/write/external-id.ts';
import { allExternalIds } from '../../../isolation/resources/reference-graph.ts';
import { previewDeletion } from '../../../services/deletes/preview-deletion.ts';
import { IDS_PER_PAGE, type NewItem } from '../../../store/items/item-pages.ts';
import { parts } from '../../../store/mongodb/parts.ts';
import { acceptedBefore, keyedRequest } from '../../http/accepted.ts';
import type { ApiContext } from '../../http/context.ts';
import {
  type Api,
  bodyArray,
  defineRoute,
  enveloped,
  faults,
  jsonResponse,
  wholeNumberFault,
} from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { aboutOf, aboutQuery } from '../batches/about-batch.ts';
import { schemaDefinitionOf } from '../definitions/find-definition.ts';
import {
  ACCEPTED,
  accept,
  type BatchInput,
  FAN_OUT,
  FAN_OUT_DESCRIPTION,
  KEPT,
  RESOURCE_BATCH,
} from './accept-request.ts';

const TOO_LINKED =
  'the dry run needs more memory than DELETION_MEMORY_BYTES allows for the references of these resources: ask about fewer ids, or later';

const DELETE_HINT =
  ': {"externalIds": […]} or {"deleteAll": true}; where a client cannot send a body with DELETE, POST the same to …/batch/delete';
const isIdToDelete = (value: unknown): value is string => typeof value === 'string' && isExternalId(value);
const WHOLE_NUMBER = { error: wholeNumberFault(FAN_OUT) };
const IDS = { type: 'array' as const, items: { type: 'string' as const, minLength: 1, maxLength: MAX_EXTERNAL_ID } };
const deleteQuery = z.object({ ...KEPT, ...aboutQuery });
const deleteBody = z
  .strictObject(
    {
      externalIds: bodyArray(
        { isRight: isIdToDelete, fault: `must be a string of 1 to ${MAX_EXTERNAL_ID} whole characters` },
        'must be an array of strings',
      )
        .openapi(IDS)
        .default([]),
      cascade: z.boolean({ error: 'must be true or false' }).default(false),
      deleteAll: z.boolean({ error: 'must be true or false' }).default(false),
      resourcesPerActivity: z
        .int(WHOLE_NUMBER)
        .min(FAN_OUT.min, WHOLE_NUMBER)
        .max(FAN_OUT.max, WHOLE_NUMBER)
        .optional()
        .openapi({ description: FAN_OUT_DESCRIPTION }),
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
  .openapi('BatchDelete', {
    description: 'Either ids, or all of them',
    allOf: [
      {
        anyOf: [
          {
            type: 'object',
            required: ['externalIds'],
            properties: { externalIds: { ...IDS, minItems: 1 }, deleteAll: { type: 'boolean', enum: [false] } },
          },
          {
            type: 'object',
            required: ['deleteAll'],
            properties: { externalIds: { ...IDS, maxItems: 0 }, deleteAll: { type: 'boolean', enum: [true] } },
          },
        ],
      },
    ],
  });

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

/** Delete, with a body in either method, and its dry run. */
export function deleteResourcesRoutes(api: Api): void {
  const deleting = {
    ...RESOURCE_BATCH,
    query: deleteQuery,
    body: deleteBody,
    bodyHint: DELETE_HINT,
    responses: {
      ...ACCEPTED,
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
      path: `${RESOURCE_BATCH.path}/delete`,
      operationId: 'deleteResourcesByPost',
      summary: 'Delete resources, for clients that cannot send a body with DELETE',
      description,
    },
    acceptDeletion,
  );
}

async function acceptDeletion(
  c: ApiContext,
  input: BatchInput<z.output<typeof deleteBody>> & { readonly query: z.output<typeof deleteQuery> },
): Promise<Response> {
  const { params, body, query } = input;
  const about = aboutOf(c, query);
  const { label, priority, startAt, ...kept } = query;
  const { externalIds, dryRun, ...asked } = body;
  const how = {
    operation: 'delete',
    options: { ...asked, ...kept },
  } as const;
  const keyed = keyedRequest(c, how, about, input);
  const accepted = dryRun ? null : await acceptedBefore(c, keyed, params.schemaDefinitionNameOrId);
  if (accepted !== null) return accepted;
  const definition = await schemaDefinitionOf(c, params.schemaDefinitionNameOrId);
  if (dryRun) return preview(c, definition, body);
  const pages = asked.deleteAll
    ? asItems(allExternalIds(c.var.services.database, c.var.scope, definition.id, IDS_PER_PAGE))
    : pagesOfIds(externalIds);
  return accept(c, definition, { ...how, about, pages, pageSize: IDS_PER_PAGE }, keyed);
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
  for (const page of parts(externalIds, IDS_PER_PAGE)) yield page.map((externalId) => ({ externalId }));
}

async function* asItems(pages: AsyncIterable<readonly string[]>): AsyncGenerator<NewItem[]> {
  for await (const page of pages) yield page.map((externalId) => ({ externalId }));
}
