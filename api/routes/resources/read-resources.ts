import { z } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import { type Total, totalText } from '../../../domain/batch/total.ts';
import { quoted, shortened } from '../../../domain/json/shortened.ts';
import { wellFormed } from '../../../domain/json/well-formed.ts';
import { MAX_FAULTS, MAX_INCLUDED, MAX_PAGE_LIMIT, MAX_REFERENCING_FIELDS } from '../../../domain/limits.ts';
import { fieldOf, referencesIn } from '../../../domain/write/references-in.ts';
import { parseResourceKey, type Resource, type ResourceKey, resourceKey } from '../../../domain/write/resource.ts';
import {
  countReferrers,
  countResources,
  findResource,
  referrerPage,
  resourcePage,
} from '../../../isolation/resources/resource-pages.ts';
import { includedResources, referringFields } from '../../../services/resources/include-resources.ts';
import { type ResourceDocument, toResource } from '../../../store/resources.ts';
import { badRequest, notFound } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import type { ListPlace } from '../../http/cursors.ts';
import {
  type Api,
  defineRoute,
  enveloped,
  faults,
  jsonResponse,
  pageOf,
  pageQuery,
  queryBoolean,
} from '../../http/define-route.ts';
import { answerExactly, success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { CSV, NDJSON } from '../../http/streams.ts';
import { schemaDefinitionOf } from '../definitions/find-definition.ts';
import { exportResources } from './export-resources.ts';
import { toAnswer } from './resource-answer.ts';

const tags = ['Resources'];
const TYPES = ['application/json', NDJSON, CSV];
const schemaDefinitionNameOrId = z
  .string()
  .openapi({ description: 'Name, plural name or id of the schema definition' });
const query = z.object(pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 }));
/**
 * Clients resolve `.` and `..` in a path, escaped or not, before they send it (WHATWG URL standard, section 4.1),
 * and both are valid external ids (docs/api.md#when-a-request-is-refused).
 */
const named = z.object({
  externalId: z.string().optional().openapi({
    description:
      'The external id, in place of the one in the path: for "." and "..", which cannot be part of a path. Absent or empty: the one in the path is used',
  }),
});

const ResourceSchema = z
  .object({
    id: z.string(),
    schemaDefinitionId: z.string(),
    resourceExternalId: z.string(),
    data: z.record(z.string(), z.unknown()),
    versionNumber: z.number().int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    lastWrite: z
      .object({ batchId: z.string(), index: z.number().int() })
      .optional()
      .openapi({ description: 'The item that changed it last. Its batch may have been removed since' }),
  })
  .openapi('Resource');
const ResourceWithIncluded = z
  .object({
    ...ResourceSchema.shape,
    included: z
      .array(ResourceSchema)
      .optional()
      .openapi({
        description: `With \`include\`: the resources that these fields refer to, each once, lowest id first; the first ${MAX_INCLUDED} that fit in an answer`,
      }),
    includedTotal: z.number().int().optional().openapi({ description: 'How many different ones they refer to' }),
  })
  .openapi('ResourceWithIncluded');
const Referrer = z
  .object({
    id: z.string(),
    schemaDefinitionId: z.string(),
    schemaName: z.string(),
    resourceExternalId: z.string(),
    fields: z.array(z.string()).openapi({
      description: `The places of the reference: field names, or JSON pointers below them; the first ${MAX_REFERENCING_FIELDS}, long ones are shortened`,
    }),
    fieldsTotal: z.number().int().openapi({ description: 'The number of these places' }),
  })
  .openapi('Referrer');

/** Reference fields that a message names. */
const MAX_NAMED = 20;

/** Routes that read resources. */
export function readResourcesRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/resources/{schemaDefinitionNameOrId}',
      operationId: 'listResources',
      tags,
      params: z.object({ schemaDefinitionNameOrId }),
      query: query.extend({
        envelope: queryBoolean(false).openapi({
          description: 'In a stream: whether id, version and dates are beside the data. A page has them in any case',
        }),
      }),
      summary: 'List resources, by external id',
      description:
        'With `Accept: application/x-ndjson` or `text/csv` all of them, streamed, without cursor or limit: their data, which can be imported as it is.',
      responses: {
        200: {
          description: 'Resources',
          content: {
            'application/json': { schema: pageOf(ResourceSchema) },
            'application/x-ndjson': { schema: z.string() },
            'text/csv': { schema: z.string() },
          },
        },
        ...faults(404),
      },
    },
    async (c, { params, query: { cursor, limit, envelope } }) => {
      const { database, cursors } = c.var.services;
      const definition = await schemaDefinitionOf(c, params.schemaDefinitionNameOrId);
      const { id } = definition;
      const type = accepts(c, { header: 'Accept', supports: TYPES, default: 'application/json' });
      if (type === NDJSON || type === CSV) return exportResources(c, definition, type, envelope);
      if (c.req.query('envelope')) throw badRequest(`envelope: only for ${NDJSON} and ${CSV}; a page has it always`);
      const place: ListPlace = { list: 'resources', filter: [id] };
      const after = await cursors.decode(c.var.scope, place, cursor);
      const [page, total] = await Promise.all([
        resourcePage(database, c.var.scope, id, after, limit),
        countResources(database, c.var.scope, id),
      ]);
      const results = page.resources.map((document) => toAnswer(toResource(document)));
      return answerExactly(
        c,
        success(totalText(total, 'resource', 'resources'), {
          results,
          pagination: await pagination(c, place, page.next, total),
        }),
      );
    },
  );
  memberRoutes(api);
}

function memberRoutes(api: Api): void {
  const path = '/api/resources/{schemaDefinitionNameOrId}/{externalId}';
  const params = z.object({ schemaDefinitionNameOrId, externalId: z.string() });
  defineRoute(
    api,
    {
      method: 'get',
      path,
      operationId: 'getResource',
      tags,
      params,
      query: named.extend({
        include: z.string().optional().openapi({
          description: 'Reference fields, separated by commas: the resources that they refer to are in the answer',
          example: 'mother,friends',
        }),
      }),
      summary: 'One resource',
      description:
        'With `include`, the resources that it refers to are in `included`. An external id that cannot be part of a path (`.` or `..`) goes into the query.',
      responses: { 200: jsonResponse('The resource', enveloped(ResourceWithIncluded)), ...faults(404) },
    },
    async (c, { params: { schemaDefinitionNameOrId, externalId }, query: { include, externalId: named } }) => {
      const { resource } = await resourceOf(c, schemaDefinitionNameOrId, named || externalId);
      const answer = toAnswer(resource);
      return answerExactly(
        c,
        success('Resource', include ? { ...answer, ...(await included(c, resource, include)) } : answer),
      );
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path: `${path}/references`,
      operationId: 'listReferences',
      tags,
      params,
      query: query.extend(named.shape),
      summary: 'The resources that refer to a resource',
      description:
        'By external id, with the fields by which they refer to it; resources of all schema definitions of the tenant.',
      responses: { 200: jsonResponse('A page of referring resources', pageOf(Referrer)), ...faults(404) },
    },
    async (c, { params: { schemaDefinitionNameOrId, externalId }, query: { cursor, limit, externalId: named } }) => {
      const { database, cursors } = c.var.services;
      const { key } = await resourceOf(c, schemaDefinitionNameOrId, named || externalId);
      const place: ListPlace = { list: 'references', filter: [key] };
      const after = await cursors.decode(c.var.scope, place, cursor);
      const [page, total] = await Promise.all([
        referrerPage(database, c.var.scope, key, after, limit),
        countReferrers(database, key),
      ]);
      const results = await Promise.all(page.resources.map((document) => toReferrer(c, document, key)));
      return c.json(
        success(totalText(total, 'resource refers to it', 'resources refer to it'), {
          results,
          pagination: await pagination(c, place, page.next, total),
        }),
      );
    },
  );
}

async function resourceOf(
  c: ApiContext,
  nameOrId: string,
  externalId: string,
): Promise<{ key: ResourceKey; resource: Resource }> {
  const { id, name } = await schemaDefinitionOf(c, nameOrId);
  const key = resourceKey(c.var.scope, id, externalId);
  const resource = await findResource(c.var.services.database, key);
  if (resource === null) throw notFound(`there is no resource "${externalId}" of "${name}"`);
  return { key, resource };
}

async function pagination(c: ApiContext, place: ListPlace, next: ResourceKey | null, total: Total) {
  const cursor = await c.var.services.cursors.encode(c.var.scope, place, next);
  return paginationOf(total, cursor);
}

/** @throws DroverError 400 if a field is none that refers to resources. */
async function included(c: ApiContext, resource: Resource, include: string) {
  const schema = await c.var.services.schemas.latest(resource.schemaDefinitionId);
  if (schema === null) throw notFound('the schema definition was deleted');
  const fields = new Set(include.split(','));
  const known = referringFields(schema);
  const unknown = [...fields].filter((field) => !known.includes(field));
  if (unknown.length > 0) {
    const has = known.length === 0 ? 'it has none' : `it has ${known.map(quoted).slice(0, MAX_NAMED).join(', ')}`;
    const { name } = schema.definition;
    throw badRequest(
      ...unknown
        .slice(0, MAX_FAULTS)
        .map((field) => `include: ${quoted(wellFormed(field))} is not a reference field of "${name}"; ${has}`),
    );
  }
  const found = await includedResources(c.var.services, c.var.scope, schema, resource, fields);
  return { ...found, included: found.included.map(toAnswer) };
}

/** A referring resource, with the first fields in which it refers. */
async function toReferrer(c: ApiContext, document: ResourceDocument, target: ResourceKey) {
  const { id, schemaDefinitionId, externalId } = document;
  const answer = { id, schemaDefinitionId, resourceExternalId: externalId };
  const loaded = await c.var.services.schemas.latest(schemaDefinitionId);
  if (loaded === null) return { ...answer, schemaName: '', fields: [], fieldsTotal: 0 };
  const wanted = parseResourceKey(target);
  const references = referencesIn(loaded.compiled.referenceFields, document.data).filter(
    (reference) => reference.externalId === wanted.externalId,
  );
  const bound = await c.var.services.schemas.bind(
    loaded.definition,
    references.map((reference) => reference.target),
  );
  const referring = references.filter(
    (reference) => bound.get(reference.target.toLowerCase())?.id === wanted.schemaDefinitionId,
  );
  return {
    ...answer,
    schemaName: loaded.definition.name,
    fields: referring.slice(0, MAX_REFERENCING_FIELDS).map((reference) => shortened(fieldOf(reference))),
    fieldsTotal: referring.length,
  };
}
