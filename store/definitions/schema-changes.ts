import type { UpdateFilter } from 'mongodb';
import { v7 as uuidv7 } from 'uuid';
import { DroverError } from '../../domain/errors.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { releaseNames, schemaFields } from './create-schema-definition.ts';
import { leasesRunOut, type SchemaDefinitionDocument, schemaDefinitionsIn } from './schema-definitions.ts';

/** How long a change blocks writers without renewing its lease, in ms: the cost of a crash, plus `CLOCK_OFF_MS`. */
const LEASE_MS = 30_000;
/** How early a lease is renewed, in ms before it expires. */
const RENEW_BEFORE_MS = 20_000;

/** The lease of a change on a definition: while it is held, no other change is made, and no writer starts. */
export interface Change {
  readonly definitionId: string;
  readonly change: string;
  leaseUntil: Date;
}

/** Takes the lease. @returns null if another change holds it, or the definition has another version by now. */
export async function beginChange(
  database: Database,
  { id, versionNumber }: Pick<SchemaDefinition, 'id' | 'versionNumber'>,
): Promise<Change | null> {
  const change: Change = { definitionId: id, change: uuidv7(), leaseUntil: new Date(Date.now() + LEASE_MS) };
  const changing = { change: change.change, leaseUntil: change.leaseUntil };
  const taken = await schemaDefinitionsIn(database).updateOne(
    {
      _id: id,
      active: true,
      versionNumber,
      $or: [{ changing: { $exists: false } }, { 'changing.leaseUntil': { $lte: leasesRunOut() } }],
    },
    { $set: { changing } },
  );
  return taken.matchedCount === 1 ? change : null;
}

/** Renews the lease; costs nothing while it is valid for long. @throws DroverError `change_busy` if the lease has expired */
export async function keepChange(database: Database, change: Change): Promise<void> {
  if (change.leaseUntil.getTime() - Date.now() > RENEW_BEFORE_MS) return;
  const leaseUntil = new Date(Date.now() + LEASE_MS);
  await underLease(database, change, { $set: { 'changing.leaseUntil': leaseUntil } });
  change.leaseUntil = leaseUntil;
}

/** Marks that stored references may name more than their data does, until `recordReferencesRepaired`. @throws DroverError `change_busy` if the lease has expired */
export async function markReferencesForRepair(database: Database, change: Change): Promise<void> {
  await underLease(database, change, { $set: { referencesUnsettled: true } });
}

/** Marks that every stored reference agrees with its data. @throws DroverError `change_busy` if the lease has expired */
export async function recordReferencesRepaired(database: Database, change: Change): Promise<void> {
  await underLease(database, change, { $unset: { referencesUnsettled: '' } });
}

/** Stores the next version; the lease continues. @throws DroverError `change_busy` if the lease has expired */
export async function commitChange(
  database: Database,
  change: Change,
  next: { readonly schema: JsonObject; readonly description?: string },
): Promise<void> {
  await underLease(database, change, {
    $set: {
      ...schemaFields(next.schema),
      updatedAt: new Date(),
      ...(next.description !== undefined && { description: next.description }),
    },
    $inc: { versionNumber: 1 },
    ...(next.description === undefined && { $unset: { description: '' } }),
  });
}

/** Releases the lease; safe to repeat, and if it is lost already. */
export async function endChange(database: Database, { definitionId, change }: Change): Promise<void> {
  await schemaDefinitionsIn(database).updateOne(
    { _id: definitionId, 'changing.change': change },
    { $unset: { changing: '' } },
  );
}

/** Makes a definition invisible, with its names still claimed. @throws DroverError `change_busy` if the lease has expired */
export async function hideDefinition(database: Database, change: Change): Promise<void> {
  await underLease(database, change, { $set: { active: false } });
}

/**
 * Makes a definition visible again that could not be deleted. @returns false if a request that creates
 * one of the same name has already treated it as abandoned.
 */
export async function showDefinition(database: Database, { definitionId, change }: Change): Promise<boolean> {
  const shown = await schemaDefinitionsIn(database).updateOne(
    { _id: definitionId, 'changing.change': change, active: false },
    { $set: { active: true } },
  );
  return shown.matchedCount === 1;
}

/** Removes an invisible definition, its names first: a crash in between leaves nothing that blocks a new one. */
export async function removeDefinition(
  database: Database,
  { id, platform, name, pluralName }: SchemaDefinition,
): Promise<void> {
  await releaseNames(database, { _id: id, platform, name, ...(pluralName !== undefined && { pluralName }) });
  await schemaDefinitionsIn(database).deleteOne({ _id: id, active: false });
}

/** Definitions whose references a crash has left unrepaired, and that no process is changing. */
export async function definitionsToRepair(database: Database): Promise<{ id: string; versionNumber: number }[]> {
  const documents = await schemaDefinitionsIn(database)
    .find(
      {
        active: true,
        referencesUnsettled: true,
        $or: [{ changing: { $exists: false } }, { 'changing.leaseUntil': { $lte: leasesRunOut() } }],
      },
      { projection: { versionNumber: 1 } },
    )
    .toArray();
  return documents.map((document) => ({ id: document._id, versionNumber: document.versionNumber }));
}

/** The stored references of its resources are not those of their data: whoever holds the lease of a change next repairs them. */
export async function markReferencesUnsettled(database: Database, id: string): Promise<void> {
  await schemaDefinitionsIn(database).updateOne({ _id: id, active: true }, { $set: { referencesUnsettled: true } });
}

/** Whether a crash has left stored references of this definition unrepaired. */
export async function hasReferencesToRepair(database: Database, id: string): Promise<boolean> {
  return (await schemaDefinitionsIn(database).countDocuments({ _id: id, referencesUnsettled: true })) > 0;
}

async function underLease(
  database: Database,
  { definitionId, change }: Change,
  update: UpdateFilter<SchemaDefinitionDocument>,
): Promise<void> {
  const done = await schemaDefinitionsIn(database).updateOne(
    { _id: definitionId, active: true, 'changing.change': change },
    update,
  );
  if (done.matchedCount === 0) throw new DroverError('change_busy', 'the lease of the change has run out');
}
