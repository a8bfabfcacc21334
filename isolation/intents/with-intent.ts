import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { currentSchemaVersion } from '../../store/definitions/schema-definitions.ts';
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

/** An item that is about to be written. */
interface IntendedItem {
  readonly batch: BatchDocument;
  readonly references: readonly { readonly key: ResourceKey }[];
}

/**
 * Runs `write` under an intent that names all references of the items and the schema definitions under which they are written.
 * The intent is laid before anything is read, so that a delete of a target, or a change of a definition, sees it
 * (invariant 3); it is withdrawn as soon as every command is known to be over, so that nothing waits for a writer that waits. The result of
 * a command without an answer is unknown: then the intent stays until the attempt that takes over has put fences (`endEarlierAttempts`).
 * @param writable the documents that an attempt of this activity may write.
 * @throws a retryable failure while a definition is changing, or has changed since it was loaded, or a later attempt is at work.
 */
export async function withIntent<T>(
  context: IntentContext,
  attempt: Attempt,
  batch: BatchDocument,
  schemas: readonly { readonly definition: Pick<SchemaDefinition, 'id' | 'versionNumber'> }[],
  items: readonly IntendedItem[],
  writable: () => Promise<readonly Writable[]>,
  write: () => Promise<T>,
): Promise<T> {
  const { database, checkpoint } = context;
  const targets = new Set<ResourceKey>(items.flatMap((item) => item.references.map((reference) => reference.key)));
  const batchId = items[0]?.batch._id ?? '';
  const schemaDefinitionIds = schemas.map((schema) => schema.definition.id);
  const intent = { id: attempt.id, batchId, schemaDefinitionIds, targets: [...targets] };
  let isOver = true;
  try {
    await layIntent(database, intent);
    await checkpoint?.('intent-laid', batchId);
    const [versions] = await Promise.all([
      Promise.all(schemas.map(({ definition }) => currentSchemaVersion(database, definition.id))),
      endEarlierAttempts(database, attempt, batch, writable),
    ]);
    for (const [at, { definition }] of schemas.entries()) {
      const now = versions[at];
      // a change whose lease has expired is aborted by now
      if (now?.changing !== undefined) throw blocked('the schema definition is changing');
      if (now?.versionNumber !== definition.versionNumber) {
        context.schemas.forget(definition.id);
        throw blocked('the schema definition has changed');
      }
    }
    return await write();
  } catch (error) {
    isOver = kindOfFailure(error) !== 'outage';
    throw error;
  } finally {
    if (isOver) await withdrawIntent(database, intent);
  }
}
