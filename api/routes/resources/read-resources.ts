import { z } from '@hono/zod-openapi';
import { type Total, totalText } from '../../../domain/batch/total.ts';
import { shortened } from '../../../domain/json/shortened.ts';
import { MAX_PAGE_LIMIT, MAX_REFERENCING_FIELDS } from '../../../domain/limits.ts';
import { fieldOf, referencesIn } from '../../../domain/write/references-in.ts';
import { parseResourceKey, type Resource, type ResourceKey, resourceKey } from '../../../domain/write/resource.ts';
import {
  countReferrers,
  countResources,
  findResource,
  referrerPage,
  resourcePage,
} from '../../../isolation/resources/resource-pages.ts';
import { type ResourceDocument, toResource } from '../../../store/resources.ts';
import { notFound } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse, pageOf, pageQuery } from '../../http/define-route.ts';
import { answerExactly, success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { schemaDefinitionOf } from '../definitions/find-definition.ts';

const tags = ['Resources'];
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
  })
  .openapi('Resource');
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
      query,
      summary: 'List resources, by external id',
      responses: { 200: jsonResponse('A page of resources', pageOf(ResourceSchema)), ...faults(404) },
    },
    async (c, { params, query: { cursor, limit } }) => {
      const { database, cursors } = c.var.services;
      const { id } = await schemaDefinitionOf(c, params.schemaDefinitionNameOrId);
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
      query: named,
      summary: 'One resource',
      responses: { 200: jsonResponse('The resource', enveloped(ResourceSchema)), ...faults(404) },
    },
    async (c, { params: { schemaDefinitionNameOrId, externalId }, query: named }) => {
      const { resource } = await resourceOf(c, schemaDefinitionNameOrId, named.externalId || externalId);
      return answerExactly(c, success('Resource', toAnswer(resource)));
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
  const cursor = next === null ? null : await c.var.services.cursors.encode(c.var.scope, place, next);
  return paginationOf(total, cursor);
}

function toAnswer({ createdAt, updatedAt, ...resource }: Resource) {
  return { ...resource, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

/** A referring resource, with the first fields in which it refers. */
async function toReferrer(c: ApiContext, document: ResourceDocument, target: ResourceKey) {
  const { id, schemaDefinitionId, externalId } = document;
  const answer = { id, schemaDefinitionId, resourceExternalId: externalId };
  const loaded = await c.var.services.schemas.latest(schemaDefinitionId);
  if (loaded === null) return { ...answer, schemaName: '', fields: [], fieldsTotal: 0 };
  const wanted = parseResourceKey(target);
  const references = referencesIn(loaded.compiled.referenceFields, JSON.parse(document.data)).filter(
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
