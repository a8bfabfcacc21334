import type { DroverError } from '../../../domain/errors.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import { findSchemaDefinition } from '../../../store/definitions/schema-definitions.ts';
import { notFound } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';

/** The schema definition that a path names. @throws DroverError 404 */
export async function schemaDefinitionOf(c: ApiContext, nameOrId: string): Promise<SchemaDefinition> {
  const definition = await findSchemaDefinition(c.var.services.database, c.var.scope.platform, nameOrId);
  if (definition === null) throw unknownDefinition(nameOrId);
  return definition;
}

export const unknownDefinition = (nameOrId: string): DroverError =>
  notFound(`there is no schema definition "${nameOrId}"`);
