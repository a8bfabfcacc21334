import { setTimeout as sleep } from 'node:timers/promises';
import { totalText } from '../../domain/batch/total.ts';
import { DroverError } from '../../domain/errors.ts';
import { sameJson } from '../../domain/json/text.ts';
import { MAX_CHANGE_WAIT_MS } from '../../domain/limits.ts';
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
  definitionsToRepair,
  endChange,
  hasReferencesToRepair,
  hideDefinition,
  keepChange,
  markReferencesForRepair,
  recordReferencesRepaired,
  removeDefinition,
  showDefinition,
} from '../../store/definitions/schema-changes.ts';
import { readSchemaDefinition, referringDefinitions } from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import { BoundSchema, ChangeValidation, findDangling, type Obstacle, obstacleOf } from './schema-change-check.ts';
import type { ValidationThreads } from './validation-threads.ts';

const POLL_MS = 50;
/** A definition that others keep changing is not changed after this many of their changes. */
const MAX_ATTEMPTS = 5;
/** Largest number of referring schema definitions that a message names. */
const MAX_NAMED = 10;

/** The fields that a PUT can change, and the version that it is based on, if the caller names it. */
type NewVersion = Pick<SchemaDefinitionInput, 'schema' | 'description'> & { readonly versionNumber?: number };

/**
 * Stores the next version of a definition. New writers are blocked, and running ones are waited for; then all stored resources, of
 * all tenants, are checked against the new schema, and the stored references are adapted. A crash in between leaves the old version
 * or the new one, and at worst references that name too much: `finishSchemaChanges` repairs them.
 * @returns the definition afterwards; with its old version if nothing changes. Null if it does not exist any more.
 * @throws DroverError `change_conflict` if a stored resource would be invalid or refer to a missing resource, or the definition has
 * another version than the caller has seen; `change_busy` while others are at work on the definition or its resources
 */
export async function changeSchemaDefinition(
  database: Database,
  id: string,
  next: NewVersion,
  threads: ValidationThreads,
): Promise<SchemaDefinition | null> {
  return underChange(database, id, async (definition, change) => {
    // checked under the lease: of two callers that have seen the same version, only one continues
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
  const isLeftOver = await hasReferencesToRepair(database, definition.id);
  if (isLeftOver) await endEarlierRewrites(database, change);
  if (added.length + removed.length > 0 || isLeftOver) await markReferencesForRepair(database, change);
  if (added.length > 0) await announceReferences(database, change, before, after, added);
  await commitChange(database, change, next);
  if (added.length + removed.length > 0 || isLeftOver) await repairReferences(database, change, after);
}

/**
 * Deletes an unused definition.
 * @returns false if it does not exist any more.
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
      // A definition that began to refer to this one has seen the deletion, or it is seen here (invariant 3).
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

/** Repairs stored references that a crash in the middle of a change has left. */
export async function finishSchemaChanges(database: Database): Promise<void> {
  for (const { id } of await definitionsToRepair(database)) {
    await underChange(database, id, async (definition, change) => {
      await endEarlierRewrites(database, change);
      await repairReferences(database, change, await BoundSchema.of(database, definition, definition.schema));
    });
  }
}

/** Runs `work` with the lease on the present definition, and releases the lease in every case. Null if the definition does not exist. */
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
      await sleep(POLL_MS);
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

/** Waits until no batch writes resources of the definition any more: a writer that has not laid an intent yet sees the change first. */
async function drainWriters(database: Database, change: Change): Promise<void> {
  const deadline = Date.now() + MAX_CHANGE_WAIT_MS;
  while ((await intentsToWrite(database, change.definitionId)).length > 0) {
    if (Date.now() > deadline)
      throw new DroverError('change_busy', 'batches are writing resources of the schema definition');
    await keepChange(database, change);
    await sleep(POLL_MS);
  }
}

/** Reads every stored resource, some at a time, and keeps the lease meanwhile. */
async function* storedResources(database: Database, change: Change): AsyncGenerator<ResourceDocument[]> {
  for await (const documents of resourcesOfSchema(database, change.definitionId)) {
    await keepChange(database, change);
    yield documents;
    // lets other requests run in between
    await new Promise((resolve) => setImmediate(resolve));
  }
  await keepChange(database, change);
}

const targetDeadline = (): number => Date.now() + MAX_CHANGE_WAIT_MS;

/** @throws DroverError `change_conflict` with the number of resources that would be invalid, and of those that would refer to missing resources. */
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
 * Stores the references of the new fields, so that deletes see them, then checks whether their targets still exist: a delete sees the
 * reference, or the check sees the delete (invariant 3). If a target is missing, the references are restored.
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

/** An earlier change has stopped in the middle: its commands that are still under way change nothing from now on (invariant 3). */
async function endEarlierRewrites(database: Database, change: Change): Promise<void> {
  for await (const documents of storedResources(database, change))
    await fenceStored(
      database,
      change.change,
      documents.map(({ _id }) => _id),
    );
}

/** Makes every stored reference that of the data under this schema. */
async function repairReferences(database: Database, change: Change, schema: BoundSchema): Promise<void> {
  for await (const documents of storedResources(database, change)) {
    await rewriteReferences(database, documents, (document) => schema.referenceKeys(document));
  }
  await recordReferencesRepaired(database, change);
}

/** How many resources conflict with the change, and the first of them. */
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
