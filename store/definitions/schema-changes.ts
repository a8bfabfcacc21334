import type { UpdateFilter } from 'mongodb';
import { v7 as uuidv7 } from 'uuid';
import { DroverError } from '../../domain/errors.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { releaseNames, schemaFields } from './create-schema-definition.ts';
import { leasesRunOut, type SchemaDefinitionDocument, schemaDefinitionsIn } from './schema-definitions.ts';

/** How long a change keeps writers off without a sign of life, in ms: what a crash costs them, with `CLOCK_OFF_MS`. */
const LEASE_MS = 30_000;
/** How early a lease is renewed, in ms before it runs out. */
const RENEW_BEFORE_MS = 20_000;

/** The lease of a change on a definition: while it is held, nobody else changes the definition, and no writer starts. */
export interface Change {
  readonly definitionId: string;
  readonly change: string;
  leaseUntil: Date;
}

/** Takes the lease. @returns null where another change holds it, or the definition is no longer in this version. */
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

/** Keeps the lease; costs nothing while it has long to run. @throws DroverError `change_busy` where the lease has run out */
export async function keepChange(database: Database, change: Change): Promise<void> {
  if (change.leaseUntil.getTime() - Date.now() > RENEW_BEFORE_MS) return;
  const leaseUntil = new Date(Date.now() + LEASE_MS);
  await underLease(database, change, { $set: { 'changing.leaseUntil': leaseUntil } });
  change.leaseUntil = leaseUntil;
}

/** Says that stored references may name more than their data does, until `recordSettled`. @throws DroverError `change_busy` where the lease has run out */
export async function recordUnsettled(database: Database, change: Change): Promise<void> {
  await underLease(database, change, { $set: { referencesUnsettled: true } });
}

/** Every stored reference is what its data says. @throws DroverError `change_busy` where the lease has run out */
export async function recordSettled(database: Database, change: Change): Promise<void> {
  await underLease(database, change, { $unset: { referencesUnsettled: '' } });
}

/** Puts the next version in place; the lease goes on. @throws DroverError `change_busy` where the lease has run out */
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

/** Lets go of the lease; safe to repeat, and where it is lost already. */
export async function endChange(database: Database, { definitionId, change }: Change): Promise<void> {
  await schemaDefinitionsIn(database).updateOne(
    { _id: definitionId, 'changing.change': change },
    { $unset: { changing: '' } },
  );
}

/** Takes a definition out of sight, its names still claimed. @throws DroverError `change_busy` where the lease has run out */
export async function hideDefinition(database: Database, change: Change): Promise<void> {
  await underLease(database, change, { $set: { active: false } });
}

/**
 * Brings back a definition that was hidden for good reasons that turned out wrong. @returns false where a request that creates
 * one of the same name has already taken it for abandoned.
 */
export async function showDefinition(database: Database, { definitionId, change }: Change): Promise<boolean> {
  const shown = await schemaDefinitionsIn(database).updateOne(
    { _id: definitionId, 'changing.change': change, active: false },
    { $set: { active: true } },
  );
  return shown.matchedCount === 1;
}

/** Removes a hidden definition, its names first: a crash in between leaves nothing that a new one would stumble over. */
export async function removeDefinition(
  database: Database,
  { id, platform, name, pluralName }: SchemaDefinition,
): Promise<void> {
  await releaseNames(database, { _id: id, platform, name, ...(pluralName !== undefined && { pluralName }) });
  await schemaDefinitionsIn(database).deleteOne({ _id: id, active: false });
}

/** Definitions that a crash has left with unsettled references; nobody is changing them. */
export async function unsettledDefinitions(database: Database): Promise<{ id: string; versionNumber: number }[]> {
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

/** Whether a crash has left stored references of this definition unsettled. */
export async function isUnsettled(database: Database, id: string): Promise<boolean> {
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
