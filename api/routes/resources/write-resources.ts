import { z } from '@hono/zod-openapi';
import type { AboutBatch } from '../../../domain/batch/about.ts';
import type { Instruction, WriteBatch } from '../../../domain/batch/batch.ts';
import { scopeKey } from '../../../domain/batch/scope.ts';
import { MAX_DEPENDENCY_WAIT_SECONDS, MAX_DRY_RUN_MS, MAX_RESOURCES_PER_BATCH } from '../../../domain/limits.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { toItem } from '../../../services/batches/new-item.ts';
import { previewWrites } from '../../../services/writes/preview-writes.ts';
import { viewPreview } from '../../../services/writes/view-preview.ts';
import { fittingPageSize, type NewItem } from '../../../store/items/item-pages.ts';
import { acceptedBefore, keyedRequest } from '../../http/accepted.ts';
import type { ApiContext } from '../../http/context.ts';
import {
  type Api,
  bodyArray,
  defineRoute,
  enveloped,
  faults,
  jsonResponse,
  optionalInteger,
  queryBoolean,
  queryEnumOr,
  queryInteger,
} from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { aboutOf, aboutQuery } from '../batches/about-batch.ts';
import { Actions, Counts, PreviewedItem } from '../batches/batch-schemas.ts';
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

const ignoreUnknownFields = queryBoolean(false).openapi({
  description: 'Whether fields that the schema does not name are accepted, and not saved; otherwise they fail the item',
});
const resourcesPerActivity = optionalInteger(FAN_OUT).openapi({ description: FAN_OUT_DESCRIPTION });
const dryRun = queryBoolean(false).openapi({
  description: 'Answers 200 with the outcome that each item would have now, and stores nothing',
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
const MERGING = [
  'Fields that are absent stay, `null` deletes a field, any other value replaces the old one whole.',
  'A fault of one resource fails only its item.',
].join(' ');

const Preview = enveloped(
  z.object({
    dryRun: z.literal(true),
    schemaDefinitionId: z.string(),
    counts: Counts,
    actions: Actions,
    items: z.array(PreviewedItem).max(MAX_RESOURCES_PER_BATCH),
  }),
).openapi('WritePreview');
const RESPONSES = {
  ...ACCEPTED,
  200: jsonResponse('What the batch would do; nothing is stored', Preview),
  ...faults(404, 413, 415, 422),
};

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
        ...KEPT,
        dryRun,
        ...aboutQuery,
      }),
      body: resourcesBody,
      bodyHint: ': {"resources": […]}',
      entries: 'resources',
      responses: RESPONSES,
    },
    async (c, { query, ...input }) => {
      const { dryRun: isDryRun, label, priority, startAt, ...options } = query;
      const how = { operation: 'upload', options } as const;
      return isDryRun ? previewed(c, how, input) : acceptWrites(c, how, aboutOf(c, query), input);
    },
  );
  defineRoute(
    api,
    {
      ...RESOURCE_BATCH,
      method: 'patch',
      operationId: 'patchResources',
      summary: 'Patch resources',
      description: `${MERGING} A resource that does not exist fails its item (\`not_found\`). Patches of one resource apply in the order received.`,
      query: z.object({ ignoreUnknownFields, resourcesPerActivity, ...KEPT, dryRun, ...aboutQuery }),
      body: resourcesBody,
      bodyHint: ': {"resources": […]}',
      entries: 'resources',
      responses: RESPONSES,
    },
    async (c, { query, ...input }) => {
      const { dryRun: isDryRun, label, priority, startAt, ...options } = query;
      const how = { operation: 'patch', options } as const;
      return isDryRun ? previewed(c, how, input) : acceptWrites(c, how, aboutOf(c, query), input);
    },
  );
}

async function acceptWrites(
  c: ApiContext,
  how: Instruction<WriteBatch>,
  about: AboutBatch,
  input: ResourcesInput,
): Promise<Response> {
  const { params, body, entryFlaws } = input;
  const keyed = keyedRequest(c, how, about, input);
  const accepted = await acceptedBefore(c, keyed, params.schemaDefinitionNameOrId);
  if (accepted !== null) return accepted;
  const definition = await schemaDefinitionOf(c, params.schemaDefinitionNameOrId);
  const items = itemsOf(definition, { body, entryFlaws });
  return accept(c, definition, { ...how, about, pages: [items], pageSize: fittingPageSize(items) }, keyed);
}

type ResourcesInput = BatchInput<z.output<typeof resourcesBody>>;

const itemsOf = (
  { externalIdField }: SchemaDefinition,
  { body, entryFlaws }: Pick<ResourcesInput, 'body' | 'entryFlaws'>,
): NewItem[] => body.resources.map((resource, index) => toItem(resource, externalIdField, entryFlaws.get(index)));

/** Answers a dry run. At most a few are decided at a time: each may hold as much in memory as an activity. */
async function previewed(c: ApiContext, how: Instruction<WriteBatch>, input: ResourcesInput): Promise<Response> {
  const { services, scope } = c.var;
  const definition = await schemaDefinitionOf(c, input.params.schemaDefinitionNameOrId);
  const items = itemsOf(definition, input).map(({ externalId, body, faults = [] }, index) => ({
    index,
    externalId,
    body: body === undefined ? null : (input.body.resources[index] ?? null),
    faults,
  }));
  const batch = { ...scope, ...how, schemaDefinitionId: definition.id, schemaName: definition.name };
  const { database, schemas, config } = services;
  const parts = { database, schemas, resourcesPerActivity: config.RESOURCES_PER_ACTIVITY };
  const outcomes = await services.previews({
    fairnessKey: scopeKey(scope),
    limitMs: MAX_DRY_RUN_MS,
    // its time begins with its place
    work: () => previewWrites(parts, batch, schemas.compiled(definition), items),
  });
  const preview = { dryRun: true as const, schemaDefinitionId: definition.id, ...viewPreview(items, outcomes) };
  return c.json(success('Nothing was stored', preview), 200);
}
