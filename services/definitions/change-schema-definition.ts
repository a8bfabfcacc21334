import { totalText } from '../../domain/batch/total.ts';
import { DroverError } from '../../domain/errors.ts';
import { sameJson } from '../../domain/json/text.ts';
import type { SchemaDefinition, SchemaDefinitionInput } from '../../domain/schema/definition.ts';
import type { ReferenceField } from '../../domain/schema/references.ts';
import { fenceStored } from '../../isolation/attempts/fences.ts';
import { intentsToWrite } from '../../isolation/intents/intents.ts';
import { countResourcesOfSchema, resourcesOfSchema } from '../../isolation/resources/resource-pages.ts';
import { rewriteReferences } from '../../isolation/resources/rewrite-references.ts';
import {
  beginChange,
  type Change,
  commitChange,
  endChange,
  hideDefinition,
  isUnsettled,
  keepChange,
  recordSettled,
  recordUnsettled,
  removeDefinition,
  showDefinition,
  unsettledDefinitions,
} from '../../store/definitions/schema-changes.ts';
import { readSchemaDefinition, referringDefinitions } from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import { BoundSchema, ChangeValidation, findDangling, type Obstacle, obstacleOf } from './schema-change-check.ts';
import type { ValidationThreads } from './validation-threads.ts';

/** Longest wait for writers, and for resources that others are creating or deleting, in ms. */
const DRAIN_MS = 10_000;
const POLL_MS = 50;
/** A definition that others keep changing is left as it is after this many of their changes. */
const MAX_ATTEMPTS = 5;
/** Most referring schema definitions that a message names. */
const MAX_NAMED = 10;

/** What a PUT can change, and the version that it is made of, where the caller says so. */
type NewVersion = Pick<SchemaDefinitionInput, 'schema' | 'description'> & { readonly versionNumber?: number };

/**
 * Puts the next version of a definition in place. Writers are kept off, and those at work waited for; then everything stored, of
 * all tenants, is checked against the new schema, and the stored references follow it. A crash on the way leaves the old version
 * or the new one, and references that name too much at worst: `finishSchemaChanges` repairs them.
 * @returns the definition as it is then; its version is the old one where nothing changes. Null where it is gone.
 * @throws DroverError `change_conflict` where a stored resource would be invalid or refer to nothing, or the definition is at
 * another version than the caller has seen; `change_busy` where others are at work on the definition or its resources
 */
export async function changeSchemaDefinition(
  database: Database,
  id: string,
  next: NewVersion,
  threads: ValidationThreads,
): Promise<SchemaDefinition | null> {
  return underChange(database, id, async (definition, change) => {
    // checked under the lease: of two who have seen the same version, one alone goes on
    if (next.versionNumber !== undefined && next.versionNumber !== definition.versionNumber)
      throw new DroverError('change_conflict', `the schema definition is at version ${definition.versionNumber}`);
    const sameSchema = sameJson(definition.schema, next.schema);
    if (sameSchema && definition.description === next.description) return definition;
    if (sameSchema) await commitChange(database, change, next);
    else await changeSchema(database, definition, change, next, threads);
    return readSchemaDefinition(database, id);
  });
}

async function changeSchema(
  database: Database,
  definition: SchemaDefinition,
  change: Change,
  next: NewVersion,
  threads: ValidationThreads,
): Promise<void> {
  await drainWriters(database, change);
  const before = await BoundSchema.of(database, definition, definition.schema);
  const after = await BoundSchema.of(database, definition, next.schema);
  const added = after.fieldsBeyond(before);
  const removed = before.fieldsBeyond(after);
  await checkResources(database, change, after, added, new ChangeValidation(threads, definition.platform));
  const isLeftOver = await isUnsettled(database, definition.id);
  if (isLeftOver) await endEarlierRewrites(database, change);
  if (added.length + removed.length > 0 || isLeftOver) await recordUnsettled(database, change);
  if (added.length > 0) await announceReferences(database, change, before, after, added);
  await commitChange(database, change, next);
  if (added.length + removed.length > 0 || isLeftOver) await repairReferences(database, change, after);
}

/**
 * Deletes a definition that nothing uses.
 * @returns false where it is gone already.
 * @throws DroverError `change_conflict` while it has resources or other definitions refer to it; `change_busy`
 */
export async function deleteSchemaDefinition(database: Database, id: string): Promise<boolean> {
  const done = await underChange(database, id, async (definition, change) => {
    await refuseReferred(database, definition);
    await drainWriters(database, change);
    const resources = await countResourcesOfSchema(database, id);
    if (resources.count > 0)
      throw new DroverError(
        'change_conflict',
        `"${definition.name}" has ${totalText(resources, 'resource', 'resources')}`,
      );
    await hideDefinition(database, change);
    try {
      // A definition that came to refer to this one has seen it, or it is seen here (invariant 3).
      await refuseReferred(database, definition);
    } catch (error) {
      await showDefinition(database, change);
      throw error;
    }
    await removeDefinition(database, definition);
    return true;
  });
  return done ?? false;
}

async function refuseReferred(database: Database, definition: SchemaDefinition): Promise<void> {
  const referring = await referringDefinitions(database, definition);
  if (referring.length === 0) return;
  const names = referring.slice(0, MAX_NAMED).map(({ name }) => `"${name}"`);
  const more = referring.length > names.length ? ' and others' : '';
  const count =
    referring.length === 1 ? '1 other schema definition refers' : `${referring.length} other schema definitions refer`;
  throw new DroverError('change_conflict', `${count} to "${definition.name}": ${names.join(', ')}${more}`);
}

/** Brings stored references in line that a crash in the middle of a change has left. */
export async function finishSchemaChanges(database: Database): Promise<void> {
  for (const { id } of await unsettledDefinitions(database)) {
    await underChange(database, id, async (definition, change) => {
      await endEarlierRewrites(database, change);
      await repairReferences(database, change, await BoundSchema.of(database, definition, definition.schema));
    });
  }
}

/** Runs `work` with the lease on the definition as it is now, and lets go of it in every case. Null where there is none. */
async function underChange<T>(
  database: Database,
  id: string,
  work: (definition: SchemaDefinition, change: Change) => Promise<T>,
): Promise<T | null> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const definition = await readSchemaDefinition(database, id);
    if (definition === null) return null;
    const change = await beginChange(database, definition);
    if (change === null) {
      await pause(POLL_MS);
      continue;
    }
    try {
      return await work(definition, change);
    } finally {
      await endChange(database, change);
    }
  }
  throw new DroverError('change_busy', 'the schema definition is being changed by another request');
}

/** Waits until nobody writes resources of the definition any more: who has not laid an intent yet sees the change first. */
async function drainWriters(database: Database, change: Change): Promise<void> {
  const deadline = Date.now() + DRAIN_MS;
  while ((await intentsToWrite(database, change.definitionId)).length > 0) {
    if (Date.now() > deadline)
      throw new DroverError('change_busy', 'batches are writing resources of the schema definition');
    await keepChange(database, change);
    await pause(POLL_MS);
  }
}

/** Every stored resource, some at a time, while the lease is kept. */
async function* storedResources(database: Database, change: Change): AsyncGenerator<ResourceDocument[]> {
  for await (const documents of resourcesOfSchema(database, change.definitionId)) {
    await keepChange(database, change);
    yield documents;
    // other requests get their turn
    await new Promise((resolve) => setImmediate(resolve));
  }
  await keepChange(database, change);
}

const targetDeadline = (): number => Date.now() + DRAIN_MS;

/** @throws DroverError `change_conflict` with how many resources would be invalid, and how many would refer to nothing. */
async function checkResources(
  database: Database,
  change: Change,
  schema: BoundSchema,
  added: readonly ReferenceField[],
  validation: ChangeValidation,
): Promise<void> {
  const invalid = new Tally();
  const dangling = new Tally();
  for await (const documents of storedResources(database, change)) {
    const valid: ResourceDocument[] = [];
    for (const document of documents) {
      const reason = await schema.invalidity(document, validation);
      await keepChange(database, change);
      if (reason === null) valid.push(document);
      else invalid.add(obstacleOf(document, reason));
    }
    for (const found of await findDangling(database, schema, added, valid, targetDeadline())) dangling.add(found);
  }
  refuse(invalid, dangling);
}

/**
 * Makes what the new fields refer to known to those who delete, then checks whether it is still there: a delete sees the
 * reference, or it is seen here (invariant 3). Where something is gone, the references are as before.
 */
async function announceReferences(
  database: Database,
  change: Change,
  before: BoundSchema,
  after: BoundSchema,
  added: readonly ReferenceField[],
): Promise<void> {
  const dangling = new Tally();
  for await (const documents of storedResources(database, change)) {
    await rewriteReferences(database, documents, (document) => [
      ...new Set([...document.references, ...after.referenceKeys(document)]),
    ]);
    for (const found of await findDangling(database, after, added, documents, targetDeadline())) dangling.add(found);
  }
  if (dangling.count > 0) await repairReferences(database, change, before);
  refuse(new Tally(), dangling);
}

/** An earlier change has stopped in the middle: what it may have under way still changes nothing from now on (invariant 3). */
async function endEarlierRewrites(database: Database, change: Change): Promise<void> {
  for await (const documents of storedResources(database, change))
    await fenceStored(
      database,
      change.change,
      documents.map(({ _id }) => _id),
    );
}

/** Makes every stored reference what the data says under this schema. */
async function repairReferences(database: Database, change: Change, schema: BoundSchema): Promise<void> {
  for await (const documents of storedResources(database, change)) {
    await rewriteReferences(database, documents, (document) => schema.referenceKeys(document));
  }
  await recordSettled(database, change);
}

/** How many resources stand in the way, and the first of them. */
class Tally {
  count = 0;
  first: Obstacle | undefined;

  add(obstacle: Obstacle): void {
    this.count += 1;
    this.first ??= obstacle;
  }
}

function refuse(invalid: Tally, dangling: Tally): void {
  const example = invalid.first ?? dangling.first;
  if (example === undefined) return;
  const parts = [
    ...(invalid.count > 0 ? [`${invalid.count} would be invalid`] : []),
    ...(dangling.count > 0 ? [`${dangling.count} would refer to a resource that is not there`] : []),
  ];
  throw new DroverError(
    'change_conflict',
    `of the stored resources, ${parts.join(' and ')}; for example "${example.externalId}" of tenant "${example.tenant}": ${example.reason}`,
  );
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
