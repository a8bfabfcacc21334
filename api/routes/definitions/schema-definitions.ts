import { z } from '@hono/zod-openapi';
import { totalText } from '../../../domain/batch/total.ts';
import { DroverError } from '../../../domain/errors.ts';
import { sameJson } from '../../../domain/json/text.ts';
import { MAX_PAGE_LIMIT, MAX_SCHEMA_DEFINITIONS } from '../../../domain/limits.ts';
import { compilationFault, isLargeSchema } from '../../../domain/schema/compiler.ts';
import { contradictionsIn } from '../../../domain/schema/contradictions.ts';
import type { SchemaDefinition, SchemaDefinitionInput } from '../../../domain/schema/definition.ts';
import { unboundSchemaKey } from '../../../domain/schema/unbound-key.ts';
import { wakeWaiting } from '../../../services/batches/wake-waiting.ts';
import {
  changeSchemaDefinition,
  deleteSchemaDefinition,
} from '../../../services/definitions/change-schema-definition.ts';
import { createSchemaDefinition } from '../../../store/definitions/create-schema-definition.ts';
import { countSchemaDefinitions, schemaDefinitionPage } from '../../../store/definitions/schema-definition-pages.ts';
import { recordAnnounced } from '../../../store/definitions/schema-definitions.ts';
import { badRequest } from '../../http/api-error.ts';
import type { ApiContext, Services } from '../../http/context.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, faults, jsonResponse, pageQuery } from '../../http/define-route.ts';
import { answerExactly, success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { checkedNew, checkedNext, namesVersion, toAnswer } from './checked-definitions.ts';
import {
  ChangedDefinition,
  ManyDefinitions,
  NEW_DEFINITION_FIELDS,
  NEXT_VERSION_FIELDS,
  NewDefinition,
  NextVersion,
  OneDefinition,
} from './definition-schemas.ts';
import { schemaDefinitionOf, unknownDefinition } from './find-definition.ts';

export const SCHEMA_DEFINITIONS_PATH = '/partner/schema-definitions';

const tags = ['Schema definitions'];
const params = z.object({
  nameOrId: z.string().openapi({ description: 'Name, plural name or id of the schema definition' }),
});

/** The types of a platform's resources (docs/api.md#schema-definitions). */
export function schemaDefinitionRoutes(api: Api): void {
  collectionRoutes(api);
  memberRoutes(api);
}

function collectionRoutes(api: Api): void {
  const path = SCHEMA_DEFINITIONS_PATH;
  defineRoute(
    api,
    {
      method: 'post',
      path,
      operationId: 'createSchemaDefinition',
      tags,
      summary: 'Define a type of resources',
      description:
        'The name and the plural name have to differ from those of every other definition, without regard to case. `schema` may refer to definitions that do not exist yet, by name. A fault of the schema is a 400 that names its JSON pointer.',
      body: NewDefinition,
      bodyFields: NEW_DEFINITION_FIELDS,
      responses: { 201: jsonResponse('The definition', ChangedDefinition), ...faults(409, 413, 415) },
    },
    async (c, { body }) => {
      const input = checkedNew(body);
      await assertRoom(c);
      await assertCompilable(c, input);
      const { database } = c.var.services;
      const result = await createSchemaDefinition(database, c.var.scope.platform, input);
      if ('taken' in result) throw new DroverError('name_taken', `the name "${result.taken}" is taken`);
      await announce(c.var.services, result.created);
      return answerExactly(
        c,
        { ...success('Schema definition created', toAnswer(result.created)), ...warningsOf(result.created) },
        201,
      );
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path,
      operationId: 'listSchemaDefinitions',
      tags,
      summary: 'List schema definitions, newest first',
      description: 'Those of the platform, which all of its tenants share.',
      query: z.object(pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 })),
      responses: { 200: jsonResponse('A page of definitions', ManyDefinitions), ...faults() },
    },
    async (c, { query }) => {
      const { platform } = c.var.scope;
      const owner = { platform, tenant: '' };
      const place: ListPlace = { list: 'schema-definitions', filter: [] };
      const after = await c.var.services.cursors.decode(owner, place, query.cursor);
      const page = await schemaDefinitionPage(c.var.services.database, platform, after, query.limit);
      const cursor = await c.var.services.cursors.encode(owner, place, page.next);
      const pagination = paginationOf(page.total, cursor);
      return answerExactly(
        c,
        success(totalText(page.total, 'schema definition', 'schema definitions'), {
          results: page.definitions.map(toAnswer),
          pagination,
        }),
      );
    },
  );
}

function memberRoutes(api: Api): void {
  const path = `${SCHEMA_DEFINITIONS_PATH}/{nameOrId}`;
  const ok = { 200: jsonResponse('The definition', OneDefinition) };
  defineRoute(
    api,
    {
      method: 'get',
      path,
      operationId: 'getSchemaDefinition',
      tags,
      params,
      summary: 'One schema definition',
      description: 'By id, name or plural name; names in any case.',
      responses: { ...ok, ...faults(404) },
    },
    async (c, { params: { nameOrId } }) =>
      answerExactly(c, success('Schema definition', toAnswer(await schemaDefinitionOf(c, nameOrId)))),
  );
  defineRoute(
    api,
    {
      method: 'put',
      path,
      operationId: 'replaceSchemaDefinition',
      tags,
      params,
      summary: 'Replace the definition by its next version',
      description:
        'A version that would make stored resources invalid, or let them refer to missing resources, is refused, with their number. The body of a GET can be sent back, with another schema or description: if another request has changed the definition meanwhile, that is a 409.',
      body: NextVersion,
      bodyFields: NEXT_VERSION_FIELDS,
      responses: { 200: jsonResponse('The definition', ChangedDefinition), ...faults(404, 409, 413, 415) },
    },
    async (c, { params: { nameOrId }, body }) => {
      const definition = await schemaDefinitionOf(c, nameOrId);
      const input = checkedNext(definition, body);
      if (!sameJson(input.schema, definition.schema)) await assertCompilable(c, input);
      const { database, schemas } = c.var.services;
      const next = { ...input, ...(namesVersion(body) && { versionNumber: definition.versionNumber }) };
      const changed = await changeSchemaDefinition(database, definition.id, next, schemas.threads);
      if (changed === null) throw unknownDefinition(nameOrId);
      schemas.forget(definition.id);
      return answerExactly(c, { ...success('Schema definition updated', toAnswer(changed)), ...warningsOf(changed) });
    },
  );
  defineRoute(
    api,
    {
      method: 'delete',
      path,
      operationId: 'deleteSchemaDefinition',
      tags,
      params,
      summary: 'Delete an unused schema definition',
      description: 'A 409 while resources of any tenant, or other definitions, refer to it; it says how many.',
      responses: { ...ok, ...faults(404, 409) },
    },
    async (c, { params: { nameOrId } }) => {
      const definition = await schemaDefinitionOf(c, nameOrId);
      const { database, schemas } = c.var.services;
      if (!(await deleteSchemaDefinition(database, definition.id))) throw unknownDefinition(nameOrId);
      schemas.forget(definition.id);
      return answerExactly(c, success('Schema definition deleted', toAnswer(definition)));
    },
  );
}

/** Concurrent requests may exceed the limit by their number. @throws DroverError 409 if the platform has the largest number of definitions. */
async function assertRoom(c: ApiContext): Promise<void> {
  const { count } = await countSchemaDefinitions(c.var.services.database, c.var.scope.platform);
  if (count < MAX_SCHEMA_DEFINITIONS) return;
  const message = `the platform has ${MAX_SCHEMA_DEFINITIONS} schema definitions, and can have no more: delete an unused one`;
  throw new DroverError('too_many_definitions', message);
}

/** A large schema takes a second to compile, which a thread does. @throws DroverError 400 */
async function assertCompilable(c: ApiContext, { schema, externalIdField }: SchemaDefinitionInput): Promise<void> {
  const { threads } = c.var.services.schemas;
  const fault = isLargeSchema(schema)
    ? await threads.compilationFault(`definitions of ${c.var.scope.platform}`, JSON.stringify(schema), externalIdField)
    : compilationFault(schema, externalIdField);
  if (fault !== null) throw badRequest(`/schema: cannot be compiled: ${fault}`);
}

/** Wakes batches that wait for a definition of this name. If that fails, recovery does it. */
async function announce(services: Services, { id, platform, name }: SchemaDefinition): Promise<void> {
  try {
    await wakeWaiting(services, [unboundSchemaKey(platform, name)]);
    await recordAnnounced(services.database, id);
  } catch (error) {
    services.logger.warn(
      { schemaDefinitionId: id, err: error },
      'batches that wait for a new schema definition will be woken by recovery',
    );
  }
}

/** No faults, but no resource can be valid. */
function warningsOf({ schema, externalIdField }: SchemaDefinition): { warnings?: string[] } {
  const found = contradictionsIn(schema, externalIdField);
  return found.length === 0 ? {} : { warnings: found.map(({ pointer, message }) => `/schema${pointer}: ${message}`) };
}
