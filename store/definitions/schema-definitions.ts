import type { Collection } from 'mongodb';
import { CLOCK_OFF_MS } from '../../domain/clocks.ts';
import { isDefinitionId, type SchemaDefinition } from '../../domain/schema/definition.ts';
import type { Database } from '../mongodb/database.ts';

export interface SchemaDefinitionDocument {
  _id: string;
  platform: string;
  name: string;
  pluralName?: string;
  description?: string;
  externalIdField: string;
  /** JSON text, because servers differ in the field names that they accept. */
  schema: string;
  /** Names and ids that the schema refers to, as written. */
  referenceSchemas: string[];
  /** The same in lower case, for finding the definitions that refer to another one. */
  referenceNames: string[];
  versionNumber: number;
  createdAt: Date;
  updatedAt: Date;
  /** False until every name is claimed; only active definitions exist for callers. */
  active: boolean;
  /** Set while a PUT or DELETE examines stored resources; writers are blocked until it is removed or its lease has expired. */
  changing?: { change: string; leaseUntil: Date };
  /** Set while the stored references of its resources may name more than their data does. */
  referencesUnsettled?: true;
  /** False until the batches that wait for a definition of this name have been woken. */
  announced: boolean;
}

/** The collection `schema_definitions`. */
export const schemaDefinitionsIn = (database: Database): Collection<SchemaDefinitionDocument> =>
  database.collection('schema_definitions');

/** One name or pluralName of a platform, in lower case; the insert is the claim. */
interface SchemaNameDocument {
  _id: string;
  schemaDefinitionId: string;
}

/** The collection `schema_names`. */
export const schemaNamesIn = (database: Database): Collection<SchemaNameDocument> =>
  database.collection('schema_names');

export const nameKey = (platform: string, name: string): string =>
  `${encodeURIComponent(platform)}/${name.toLowerCase()}`;

export function fromDocument(document: SchemaDefinitionDocument): SchemaDefinition {
  return {
    id: document._id,
    platform: document.platform,
    name: document.name,
    ...(document.pluralName !== undefined && { pluralName: document.pluralName }),
    ...(document.description !== undefined && { description: document.description }),
    externalIdField: document.externalIdField,
    schema: JSON.parse(document.schema),
    referenceSchemas: document.referenceSchemas,
    versionNumber: document.versionNumber,
    createdAt: document.createdAt,
    updatedAt: document.updatedAt,
  };
}

/** Finds an active definition of the platform by id, name or pluralName, each in any case. */
export async function findSchemaDefinition(
  database: Database,
  platform: string,
  nameOrId: string,
): Promise<SchemaDefinition | null> {
  const [byId, name] = await Promise.all([
    isDefinitionId(nameOrId)
      ? schemaDefinitionsIn(database).findOne({ _id: nameOrId.toLowerCase(), platform, active: true })
      : null,
    schemaNamesIn(database).findOne({ _id: nameKey(platform, nameOrId) }),
  ]);
  if (byId !== null) return fromDocument(byId);
  if (name === null) return null;
  const byName = await schemaDefinitionsIn(database).findOne({ _id: name.schemaDefinitionId, platform, active: true });
  return byName === null ? null : fromDocument(byName);
}

/** The active definitions that these names and ids, in any case, belong to: nameOrId (lower case) -> id and name. */
export async function bindSchemaNames(
  database: Database,
  platform: string,
  namesOrIds: readonly string[],
): Promise<Map<string, { id: string; name: string }>> {
  const names = await schemaNamesIn(database)
    .find({ _id: { $in: namesOrIds.map((n) => nameKey(platform, n)) } })
    .toArray();
  const idOf = new Map(names.map((name) => [name._id, name.schemaDefinitionId]));
  const ids = [...idOf.values(), ...namesOrIds.map((nameOrId) => nameOrId.toLowerCase())];
  const definitions = await schemaDefinitionsIn(database)
    .find({ _id: { $in: ids }, platform, active: true }, { projection: { name: 1 } })
    .toArray();
  const byId = new Map(
    definitions.map((definition) => [definition._id, { id: definition._id, name: definition.name }]),
  );
  const bound = new Map<string, { id: string; name: string }>();
  for (const nameOrId of namesOrIds) {
    const definition = byId.get(nameOrId.toLowerCase()) ?? byId.get(idOf.get(nameKey(platform, nameOrId)) ?? '');
    // `$ref` takes a name or an id, not a pluralName.
    if (
      definition &&
      (definition.id === nameOrId.toLowerCase() || definition.name.toLowerCase() === nameOrId.toLowerCase())
    ) {
      bound.set(nameOrId.toLowerCase(), definition);
    }
  }
  return bound;
}

/**
 * Leases that end before this time count as expired, for a process that checks the lease of another one. It is too early if the clocks of the two
 * differ by more: then the change is aborted and fails, but does no harm, because every write of it is made under its lease.
 */
export const leasesRunOut = (): Date => new Date(Date.now() - CLOCK_OFF_MS);

/**
 * Version and change mark of a definition, read again: a writer checks them once its intent is laid. A change whose lease
 * has expired is aborted here, so that it cannot complete unnoticed by this writer, whatever the clocks.
 */
export async function currentSchemaVersion(
  database: Database,
  id: string,
): Promise<Pick<SchemaDefinitionDocument, 'versionNumber' | 'changing'> | null> {
  const current = await schemaDefinitionsIn(database).findOne(
    { _id: id, active: true },
    { projection: { versionNumber: 1, changing: 1 } },
  );
  if (current?.changing === undefined || current.changing.leaseUntil > leasesRunOut()) return current;
  const { change, leaseUntil } = current.changing;
  await schemaDefinitionsIn(database).updateOne(
    { _id: id, 'changing.change': change, 'changing.leaseUntil': leaseUntil },
    { $unset: { changing: '' } },
  );
  return currentSchemaVersion(database, id);
}

/** The present definition. */
export async function readSchemaDefinition(database: Database, id: string): Promise<SchemaDefinition | null> {
  const document = await schemaDefinitionsIn(database).findOne({ _id: id, active: true });
  return document === null ? null : fromDocument(document);
}

/** Definitions that refer to another one by its name or id, oldest first, except itself. */
export async function referringDefinitions(
  database: Database,
  definition: Pick<SchemaDefinition, 'id' | 'platform' | 'name'>,
): Promise<{ id: string; name: string }[]> {
  const names = [definition.id, definition.name.toLowerCase()];
  const documents = await schemaDefinitionsIn(database)
    .find(
      { platform: definition.platform, active: true, referenceNames: { $in: names }, _id: { $ne: definition.id } },
      { projection: { name: 1 } },
    )
    .toArray();
  // sorted here: the index that finds them has another order, and they are few
  return documents
    .map((document) => ({ id: document._id, name: document.name }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Notes that the batches that waited for a definition of this name have been woken. */
export async function recordAnnounced(database: Database, id: string): Promise<void> {
  await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { announced: true } });
}

/** Definitions created before `before` whose waiting batches were not woken, because the process that created them has died. */
export async function unannouncedDefinitions(database: Database, before: Date): Promise<SchemaDefinition[]> {
  const documents = await schemaDefinitionsIn(database)
    .find({ active: true, announced: false, createdAt: { $lt: before } })
    .toArray();
  return documents.map(fromDocument);
}
