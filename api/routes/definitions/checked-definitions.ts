import { DroverError } from '../../../domain/errors.ts';
import { sameJson } from '../../../domain/json/text.ts';
import {
  checkDefinition,
  idLikeNames,
  type SchemaDefinition,
  type SchemaDefinitionInput,
} from '../../../domain/schema/definition.ts';
import { type DefinitionFault, isObject } from '../../../domain/schema/document.ts';
import { referencedNames } from '../../../domain/schema/references.ts';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';
import { badRequest } from '../../http/api-error.ts';

/** The checked bodies of requests that define schemas, and definitions as answers contain them. */

/** A new definition. @throws DroverError 400 naming each fault by its JSON pointer. */
export function checkedNew(body: JsonValue): SchemaDefinitionInput {
  const input = checked(body);
  const found = idLikeNames(input);
  if (found.length > 0) throw refusal(found);
  return input;
}

/** @throws DroverError 400 naming each fault by its JSON pointer. */
function checked(body: JsonValue, stored?: JsonObject): SchemaDefinitionInput {
  const result = checkDefinition(body, stored);
  if ('input' in result) return result.input;
  throw refusal(result.faults);
}

const refusal = (found: readonly DefinitionFault[]): DroverError =>
  badRequest(...found.map(({ pointer, message }) => `${pointer || 'body'}: ${message}`));

/**
 * The next version of a definition. Fields that never change may be left out of a PUT, or repeated; a name in any case.
 * @throws DroverError 400; 409 if it says that it is based on another version than the current one.
 */
export function checkedNext(definition: SchemaDefinition, body: JsonValue): SchemaDefinitionInput {
  const { name, pluralName, externalIdField } = definition;
  const fixed: JsonObject = { name, ...(pluralName !== undefined && { pluralName }), externalIdField };
  const input = checked(isObject(body) ? { ...fixed, ...body } : body, definition.schema);
  const current = toAnswer(definition);
  const given = { ...current, ...(isObject(body) ? body : {}) };
  const changes = [
    ...(sameName(textOf(given.id), current.id) ? [] : ['/id: cannot be changed']),
    ...(sameName(input.name, name) ? [] : ['/name: cannot be changed']),
    ...(sameName(input.pluralName, pluralName) ? [] : ['/pluralName: cannot be changed']),
    ...(input.externalIdField === externalIdField ? [] : ['/externalIdField: cannot be changed']),
    ...(given.createdAt === current.createdAt ? [] : ['/createdAt: cannot be changed']),
    ...(follows(given.referenceSchemas as JsonValue, definition, input)
      ? []
      : ['/referenceSchemas: follow from the schema: leave them out']),
    ...(Number.isInteger(given.versionNumber) ? [] : ['/versionNumber: must be an integer']),
  ];
  if (changes.length > 0) throw badRequest(...changes);
  if (given.versionNumber !== current.versionNumber || given.updatedAt !== current.updatedAt) {
    throw new DroverError(
      'change_conflict',
      `the schema definition is at version ${current.versionNumber}, of ${current.updatedAt}`,
    );
  }
  return input;
}

/** Whether a list of references is that of the current version, as a GET returns it, or that of the next one. */
const follows = (list: JsonValue, { referenceSchemas }: SchemaDefinition, { schema }: SchemaDefinitionInput): boolean =>
  sameJson(list, [...referenceSchemas]) || sameJson(list, referencedNames(schema));

/** Whether a caller names the version that the next one is based on: then no other is replaced (invariant 4). */
export const namesVersion = (body: JsonValue): boolean =>
  isObject(body) && (Object.hasOwn(body, 'versionNumber') || Object.hasOwn(body, 'updatedAt'));

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const sameName = (a: string | undefined, b: string | undefined): boolean => a?.toLowerCase() === b?.toLowerCase();

export function toAnswer({ platform: _, createdAt, updatedAt, ...definition }: SchemaDefinition) {
  return { ...definition, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
