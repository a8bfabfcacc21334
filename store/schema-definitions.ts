import type { Collection, Filter } from 'mongodb';
import { v7 as uuidv7 } from 'uuid';
import { COUNT_LIMIT, type Total, totalOf } from '../domain/batch/total.ts';
import { CLOCK_OFF_MS } from '../domain/clocks.ts';
import type { SchemaDefinition } from '../domain/schema/definition.ts';
import { referencedNames } from '../domain/schema/references.ts';
import type { JsonObject } from '../domain/write/resource.ts';
import type { Database } from './mongodb/database.ts';
import { isDuplicateKey } from './mongodb/errors.ts';

export interface SchemaDefinitionDocument {
  _id: string;
  platform: string;
  name: string;
  pluralName?: string;
  description?: string;
  externalIdField: string;
  /** JSON text: field names with dots and dollars stay what they are on every server. */
  schema: string;
  /** Names and ids that the schema refers to, as written. */
  referenceSchemas: string[];
  /** The same in lower case, for looking up who refers to a definition. */
  referenceNames: string[];
  versionNumber: number;
  createdAt: Date;
  updatedAt: Date;
  /** False until every name is claimed; only active definitions exist for callers. */
  active: boolean;
  /** Set while a PUT or DELETE examines what is stored; writers keep off until it is gone or its lease has run out. */
  changing?: { change: string; leaseUntil: Date };
  /** Set while the stored references of its resources may name more than their data does. */
  referencesUnsettled?: true;
  /** False until those who wait for a definition of this name have been told of it. */
  announced: boolean;
}

/** The collection `schema_definitions`. */
export const schemaDefinitionsIn = (database: Database): Collection<SchemaDefinitionDocument> =>
  database.collection('schema_definitions');

/** One name or pluralName of a platform, in lower case; the insert is the claim. */
export interface SchemaNameDocument {
  _id: string;
  schemaDefinitionId: string;
}

/** The collection `schema_names`. */
export const schemaNamesIn = (database: Database): Collection<SchemaNameDocument> =>
  database.collection('schema_names');

export interface NewSchemaDefinition {
  readonly name: string;
  readonly pluralName?: string;
  readonly description?: string;
  readonly externalIdField: string;
  readonly schema: JsonObject;
}

const nameKey = (platform: string, name: string): string => `${encodeURIComponent(platform)}/${name.toLowerCase()}`;

function fromDocument(document: SchemaDefinitionDocument): SchemaDefinition {
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

/** What a document says of its schema. */
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
 * made active: a crash on the way leaves only an inactive definition, and whoever meets its claims removes it first.
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
    if (await claimName(database, platform, name, document._id)) continue;
    await abandon(database, document);
    return { taken: name };
  }
  const activated = await schemaDefinitionsIn(database).updateOne(
    { _id: document._id, active: false },
    { $set: { active: true } },
  );
  // Another creator of the same name took this one for abandoned: the name is theirs.
  if (activated.matchedCount === 0) {
    await abandon(database, document);
    return { taken: input.name };
  }
  return { created: fromDocument(document) };
}

/** Claims a name, taking it over from a definition that never became active. */
async function claimName(database: Database, platform: string, name: string, id: string): Promise<boolean> {
  const key = nameKey(platform, name);
  try {
    await schemaNamesIn(database).insertOne({ _id: key, schemaDefinitionId: id });
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  const holder = await schemaNamesIn(database).findOne({ _id: key });
  if (holder === null) return claimName(database, platform, name, id);
  if (holder.schemaDefinitionId === id) return true;
  const definition = await schemaDefinitionsIn(database).findOne({ _id: holder.schemaDefinitionId });
  if (definition?.active) return false;
  // Removing the inactive document decides the race with its creator: activation then finds nothing to activate.
  const removed = await schemaDefinitionsIn(database).deleteOne({ _id: holder.schemaDefinitionId, active: false });
  if (definition !== null && removed.deletedCount === 0) return claimName(database, platform, name, id);
  const taken = await schemaNamesIn(database).updateOne(
    { _id: key, schemaDefinitionId: holder.schemaDefinitionId },
    { $set: { schemaDefinitionId: id } },
  );
  return taken.matchedCount === 1 || claimName(database, platform, name, id);
}

async function abandon(database: Database, document: SchemaDefinitionDocument): Promise<void> {
  await schemaDefinitionsIn(database).deleteOne({ _id: document._id, active: false });
  await releaseNames(database, document);
}

/** Gives up the names of a definition, where they are still its own. */
export async function releaseNames(
  database: Database,
  { _id, platform, name, pluralName }: Pick<SchemaDefinitionDocument, '_id' | 'platform' | 'name' | 'pluralName'>,
): Promise<void> {
  const names = [name, pluralName ?? name].map((claimed) => nameKey(platform, claimed));
  // one that is passed over is of no definition, and is taken by whoever claims it
  await schemaNamesIn(database).deleteMany({ _id: { $in: names }, schemaDefinitionId: _id });
}

/** Finds an active definition of the platform by id, name or pluralName, each in any case. */
export async function findSchemaDefinition(
  database: Database,
  platform: string,
  nameOrId: string,
): Promise<SchemaDefinition | null> {
  const [byId, name] = await Promise.all([
    schemaDefinitionsIn(database).findOne({ _id: nameOrId.toLowerCase(), platform, active: true }),
    schemaNamesIn(database).findOne({ _id: nameKey(platform, nameOrId) }),
  ]);
  if (byId !== null) return fromDocument(byId);
  if (name === null) return null;
  const byName = await schemaDefinitionsIn(database).findOne({ _id: name.schemaDefinitionId, platform, active: true });
  return byName === null ? null : fromDocument(byName);
}

/** Most bytes of JSON text in one page of several definitions: an answer has 4 MiB (contract section 3). */
const PAGE_BYTES = 3 * 1024 * 1024;
/** Definitions that are read at a time: each has up to 3 MB. */
const READ_AT_ONCE = 20;

/**
 * One page of a platform's definitions, newest first, older than `before`: stable while definitions arrive. It ends early where
 * they are large.
 */
export async function schemaDefinitionPage(
  database: Database,
  platform: string,
  before: string | null,
  limit: number,
): Promise<{ definitions: SchemaDefinition[]; next: string | null; total: Total }> {
  const filter = { platform, active: true };
  const older = before === null ? filter : { ...filter, _id: { $lt: before } };
  const [page, total] = await Promise.all([
    readDefinitions(database, older, limit),
    countSchemaDefinitions(database, platform),
  ]);
  return { ...page, total };
}

/** How many definitions a platform has. */
export async function countSchemaDefinitions(database: Database, platform: string): Promise<Total> {
  return totalOf(
    await schemaDefinitionsIn(database).countDocuments({ platform, active: true }, { limit: COUNT_LIMIT }),
  );
}

/** What an answer tells of a definition beside its schema, description and references: names, ids and dates. */
const BYTES_BESIDE_SCHEMA = 1_024;

/** Bytes of a definition in an answer, at most. Escapes of the schema are in its text already. */
function answerBytes({ schema, description = '', referenceSchemas }: SchemaDefinitionDocument): number {
  const beside = Buffer.byteLength(JSON.stringify([description, referenceSchemas]));
  return Buffer.byteLength(schema) + beside + BYTES_BESIDE_SCHEMA;
}

async function readDefinitions(
  database: Database,
  filter: Filter<SchemaDefinitionDocument>,
  limit: number,
): Promise<{ definitions: SchemaDefinition[]; next: string | null }> {
  const definitions: SchemaDefinition[] = [];
  let bytes = 0;
  const batchSize = Math.min(limit + 1, READ_AT_ONCE);
  const cursor = schemaDefinitionsIn(database).find(filter, { batchSize }).sort({ _id: -1 });
  try {
    for await (const document of cursor) {
      bytes += answerBytes(document);
      const isFull = definitions.length === limit || (definitions.length > 0 && bytes > PAGE_BYTES);
      if (isFull) return { definitions, next: definitions.at(-1)?.id ?? null };
      definitions.push(fromDocument(document));
    }
    return { definitions, next: null };
  } finally {
    await cursor.close();
  }
}

/** Which of these names and ids, in any case, belong to active definitions: nameOrId (lower case) -> id and name. */
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
    // `$ref` takes a name or an id, not a pluralName (contract section 9).
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
 * Up to when leases have run out, for whoever looks at that of another process. It is too early where the clocks of the two
 * differ by more: the change is broken off then and fails, and does no harm, for it does everything under its lease.
 */
export const leasesRunOut = (): Date => new Date(Date.now() - CLOCK_OFF_MS);

/**
 * Version and change mark of a definition, read afresh: what a writer looks at once its intent is laid. A change whose lease
 * has run out is broken off here, so that whoever made it cannot complete it behind the back of this writer, however clocks go.
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

/** The definition as it is now. */
export async function readSchemaDefinition(database: Database, id: string): Promise<SchemaDefinition | null> {
  const document = await schemaDefinitionsIn(database).findOne({ _id: id, active: true });
  return document === null ? null : fromDocument(document);
}

/** Definitions that refer to another one by its name or id, oldest first; itself left out. */
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

/** Those who waited for a definition of this name know of it. */
export async function recordAnnounced(database: Database, id: string): Promise<void> {
  await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { announced: true } });
}

/** Definitions that nobody was told of, created before `before`: whoever created them has died on the way. */
export async function unannouncedDefinitions(database: Database, before: Date): Promise<SchemaDefinition[]> {
  const documents = await schemaDefinitionsIn(database)
    .find({ active: true, announced: false, createdAt: { $lt: before } })
    .toArray();
  return documents.map(fromDocument);
}
