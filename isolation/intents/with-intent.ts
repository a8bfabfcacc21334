import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import type { Controllable } from '../../store/batches/halts.ts';
import { currentSchemaVersion } from '../../store/definitions/schema-definitions.ts';
import { allDone } from '../../store/mongodb/all-done.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { kindOfFailure } from '../../store/mongodb/errors.ts';
import { type Attempt, blocked } from '../attempts/attempt.ts';
import { endEarlierAttempts, type Writable } from '../attempts/earlier-attempts.ts';
import { layIntent, withdrawIntent } from './intents.ts';

/** The services that writing under an intent needs. */
interface IntentContext {
  readonly database: Database;
  /** Schema definitions that this process caches: one that has changed is read again. */
  readonly schemas: { forget(id: string): void };
  readonly checkpoint?: (at: 'intent-laid', batchId: string) => Promise<void>;
}

interface VersionedSchema {
  readonly definition: Pick<SchemaDefinition, 'id' | 'versionNumber'>;
}

/** An item that is about to be written. */
interface IntendedItem {
  readonly batch: BatchDocument;
  readonly references: readonly { readonly key: ResourceKey }[];
}

/** Work under an intent. */
interface IntendedWork<Found, Result> {
  /** Reads what is decided on. @param now whether the batch may be worked on, as it was read once the intent was laid. */
  readonly read: (now: Controllable | null) => Promise<Found>;
  readonly write: (found: Found) => Promise<Result>;
  /** What needs no intent any more: runs while it is withdrawn. */
  readonly after?: (result: Result) => Promise<void>;
}

/**
 * Runs work under an intent that names all references of the items and the schema definitions under which they are written.
 * The intent is laid before anything is read, so that a delete of a target, or a change of a definition, sees it
 * (invariant 3); it is withdrawn as soon as every command is known to be over, so that nothing waits for a writer that waits. The result of
 * a command without an answer is unknown: then the intent stays until the attempt that takes over has put fences (`endEarlierAttempts`).
 * @param writable the documents that an attempt of this activity may write.
 * @throws a retryable failure while a definition is changing, or has changed since it was loaded, or a later attempt is at work.
 */
export async function withIntent<Found, Result>(
  context: IntentContext,
  attempt: Attempt,
  batch: BatchDocument,
  schemas: readonly VersionedSchema[],
  items: readonly IntendedItem[],
  writable: () => Promise<readonly Writable[]>,
  { read, write, after }: IntendedWork<Found, Result>,
): Promise<Result> {
  const { database, checkpoint } = context;
  const targets = new Set<ResourceKey>(items.flatMap((item) => item.references.map((reference) => reference.key)));
  const batchId = items[0]?.batch._id ?? '';
  const schemaDefinitionIds = schemas.map((schema) => schema.definition.id);
  const intent = { id: attempt.id, batchId, schemaDefinitionIds, targets: [...targets] };
  let result: Result;
  try {
    await layIntent(database, intent);
    await checkpoint?.('intent-laid', batchId);
    const [{ hasEnded, now }] = await allDone([
      endEarlierAttempts(database, attempt, batch, writable),
      assertCurrent(context, schemas),
    ]);
    // what it has read of its items before may be of an earlier moment
    if (hasEnded && attempt.isLocal) throw blocked('an earlier attempt was at work');
    // only now: what an attempt that has withdrawn its intent has written is seen
    result = await write(await read(now));
  } catch (error) {
    if (kindOfFailure(error) !== 'outage') await withdrawIntent(database, intent);
    throw error;
  }
  await allDone([withdrawIntent(database, intent), after?.(result)]);
  return result;
}

/** @throws a retryable failure where a definition is changing, or has changed since it was loaded. */
async function assertCurrent(
  { database, schemas: loaded }: IntentContext,
  schemas: readonly VersionedSchema[],
): Promise<void> {
  const versions = await Promise.all(schemas.map(({ definition }) => currentSchemaVersion(database, definition.id)));
  for (const [at, { definition }] of schemas.entries()) {
    const now = versions[at];
    // a change whose lease has expired is aborted by now
    if (now?.changing !== undefined) throw blocked('the schema definition is changing');
    if (now?.versionNumber !== definition.versionNumber) {
      loaded.forget(definition.id);
      throw blocked('the schema definition has changed');
    }
  }
}
