import { z } from '@hono/zod-openapi';
import type { Instruction, WriteBatch } from '../../../domain/batch/batch.ts';
import { MAX_DEPENDENCY_WAIT_SECONDS, MAX_RESOURCES_PER_BATCH } from '../../../domain/limits.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { toItem } from '../../../services/batches/new-item.ts';
import { fittingPageSize } from '../../../store/items/item-pages.ts';
import { acceptedBefore, keyedRequest } from '../../http/accepted.ts';
import type { ApiContext } from '../../http/context.ts';
import {
  type Api,
  bodyArray,
  defineRoute,
  faults,
  optionalInteger,
  queryBoolean,
  queryEnumOr,
  queryInteger,
} from '../../http/define-route.ts';
import { schemaDefinitionOf } from '../definitions/find-definition.ts';
import { ACCEPTED, accept, type BatchInput, FAN_OUT, FAN_OUT_DESCRIPTION, RESOURCE_BATCH } from './accept-request.ts';

const ignoreUnknownFields = queryBoolean(false).openapi({
  description: 'Whether fields that the schema does not name are accepted, and not saved; otherwise they fail the item',
});
const resourcesPerActivity = optionalInteger(FAN_OUT).openapi({ description: FAN_OUT_DESCRIPTION });
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
const MERGING = [
  'Fields that are absent stay, `null` deletes a field, any other value replaces the old one whole.',
  'A fault of one resource fails only its item.',
].join(' ');

/** Upload and patch. */
export function writeResourcesRoutes(api: Api): void {
  defineRoute(
    api,
    {
      ...RESOURCE_BATCH,
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
          description: 'Seconds that an item waits for missing resources that it refers to; 0: it fails at once',
        }),
        resourcesPerActivity,
      }),
      body: resourcesBody,
      bodyHint: ': {"resources": […]}',
      entries: 'resources',
      responses: { ...ACCEPTED, ...faults(404, 413, 415, 422) },
    },
    async (c, { query, ...input }) => acceptWrites(c, { operation: 'upload', options: query }, input),
  );
  defineRoute(
    api,
    {
      ...RESOURCE_BATCH,
      method: 'patch',
      operationId: 'patchResources',
      summary: 'Patch resources',
      description: `${MERGING} A resource that does not exist fails its item (\`not_found\`). Patches of one resource apply in the order received.`,
      query: z.object({ ignoreUnknownFields, resourcesPerActivity }),
      body: resourcesBody,
      bodyHint: ': {"resources": […]}',
      entries: 'resources',
      responses: { ...ACCEPTED, ...faults(404, 413, 415, 422) },
    },
    async (c, { query, ...input }) => acceptWrites(c, { operation: 'patch', options: query }, input),
  );
}

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
