import { v7 as uuidv7 } from 'uuid';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import { referencedNames } from '../../domain/schema/references.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import {
  fromDocument,
  nameKey,
  type SchemaDefinitionDocument,
  schemaDefinitionsIn,
  schemaNamesIn,
} from './schema-definitions.ts';

export interface NewSchemaDefinition {
  readonly name: string;
  readonly pluralName?: string;
  readonly description?: string;
  readonly externalIdField: string;
  readonly schema: JsonObject;
}

/** The fields of a document that depend on its schema. */
export function schemaFields(
  schema: JsonObject,
): Pick<SchemaDefinitionDocument, 'schema' | 'referenceSchemas' | 'referenceNames'> {
  const referenceSchemas = referencedNames(schema);
  return {
    schema: JSON.stringify(schema),
    referenceSchemas,
    referenceNames: referenceSchemas.map((name) => name.toLowerCase()),
  };
}

/**
 * Stores a definition under its names. The definition is written inactive, then its names are claimed one by one, then it is
 * made active: a crash in between leaves only an inactive definition, and the next process that meets its claims removes it first.
 * @returns the name that is taken, if one is.
 */
export async function createSchemaDefinition(
  database: Database,
  platform: string,
  input: NewSchemaDefinition,
): Promise<{ created: SchemaDefinition } | { taken: string }> {
  const now = new Date();
  const document: SchemaDefinitionDocument = {
    _id: uuidv7(),
    platform,
    name: input.name,
    ...(input.pluralName !== undefined && { pluralName: input.pluralName }),
    ...(input.description !== undefined && { description: input.description }),
    externalIdField: input.externalIdField,
    ...schemaFields(input.schema),
    versionNumber: 1,
    createdAt: now,
    updatedAt: now,
    active: false,
    announced: false,
  };
  await schemaDefinitionsIn(database).insertOne(document);
  const names = [...new Set([input.name, input.pluralName ?? input.name].map((name) => name.toLowerCase()))];
  for (const name of names) {
    if (await takeName(database, platform, name, document._id)) continue;
    await abandon(database, document);
    return { taken: name };
  }
  const activated = await schemaDefinitionsIn(database).updateOne(
    { _id: document._id, active: false },
    { $set: { active: true } },
  );
  // Another creator of the same name has treated this definition as abandoned: the name belongs to the other one.
  if (activated.matchedCount === 0) {
    await abandon(database, document);
    return { taken: input.name };
  }
  return { created: fromDocument(document) };
}

/** Claims a name, taking it over from a definition that never became active. */
async function takeName(database: Database, platform: string, name: string, id: string): Promise<boolean> {
  const key = nameKey(platform, name);
  try {
    await schemaNamesIn(database).insertOne({ _id: key, schemaDefinitionId: id });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  const holder = await schemaNamesIn(database).findOne({ _id: key });
  if (holder === null) return takeName(database, platform, name, id);
  if (holder.schemaDefinitionId === id) return true;
  const definition = await schemaDefinitionsIn(database).findOne({ _id: holder.schemaDefinitionId });
  if (definition?.active) return false;
  // Removing the inactive document decides the race with its creator, whose activation then finds nothing.
  const removed = await schemaDefinitionsIn(database).deleteOne({ _id: holder.schemaDefinitionId, active: false });
  if (definition !== null && removed.deletedCount === 0) return takeName(database, platform, name, id);
  const taken = await schemaNamesIn(database).updateOne(
    { _id: key, schemaDefinitionId: holder.schemaDefinitionId },
    { $set: { schemaDefinitionId: id } },
  );
  return taken.matchedCount === 1 || takeName(database, platform, name, id);
}

async function abandon(database: Database, document: SchemaDefinitionDocument): Promise<void> {
  await schemaDefinitionsIn(database).deleteOne({ _id: document._id, active: false });
  await releaseNames(database, document);
}

/** Releases the names of a definition, if they still belong to it. */
export async function releaseNames(
  database: Database,
  { _id, platform, name, pluralName }: Pick<SchemaDefinitionDocument, '_id' | 'platform' | 'name' | 'pluralName'>,
): Promise<void> {
  const names = [name, pluralName ?? name].map((claimed) => nameKey(platform, claimed));
  // a claim that the delete misses belongs to no definition, and is taken by the next definition of that name
  await schemaNamesIn(database).deleteMany({ _id: { $in: names }, schemaDefinitionId: _id });
}
