import type { ResourceKey } from '../domain/resource.ts';
import type { BatchDocument } from '../store/batches.ts';
import { kindOfFailure } from '../store/errors.ts';
import { layIntent, withdrawIntent } from '../store/intents.ts';
import { currentSchemaVersion } from '../store/schema-definitions.ts';
import { blocked, type Delivery } from './delivery.ts';
import type { Dependencies } from './dependencies.ts';
import { endEarlierAttempts, type Writable } from './earlier-attempts.ts';
import type { LoadedSchema } from './schema-catalog.ts';
import type { WorkItem } from './work-items.ts';

/**
 * Runs `write` under an intent that names all that the items refer to and the schema definitions that they are written under.
 * The intent is laid before anything is looked at, so that a delete of a target, or a change of a definition, sees it
 * (invariant 3); it is withdrawn as soon as every command is known to be over, so that nobody waits for a writer that waits. Of
 * one that got no answer nobody knows: then the intent stays until whoever takes over has put fences (`endEarlierAttempts`).
 * @param writable what an attempt of this activity may write.
 * @throws a retryable failure while a definition is changing, or has changed since it was loaded, or a later attempt is at work.
 */
export async function withIntent<T>(
  dependencies: Dependencies,
  delivery: Delivery,
  batch: BatchDocument,
  schemas: readonly LoadedSchema[],
  items: readonly WorkItem[],
  writable: () => Promise<readonly Writable[]>,
  write: () => Promise<T>,
): Promise<T> {
  const { database, checkpoint } = dependencies;
  const targets = new Set<ResourceKey>(items.flatMap((item) => item.references.map((reference) => reference.key)));
  const batchId = items[0]?.batch._id ?? '';
  const schemaDefinitionIds = schemas.map((schema) => schema.definition.id);
  const intent = { id: delivery.id, batchId, schemaDefinitionIds, targets: [...targets] };
  let isOver = true;
  try {
    await layIntent(database, intent);
    await checkpoint?.('intent-laid', batchId);
    const [versions] = await Promise.all([
      Promise.all(schemas.map(({ definition }) => currentSchemaVersion(database, definition.id))),
      endEarlierAttempts(database, delivery, batch, writable),
    ]);
    for (const [at, { definition }] of schemas.entries()) {
      const now = versions[at];
      // one whose lease has run out is broken off by now
      if (now?.changing !== undefined) throw blocked('the schema definition is changing');
      if (now?.versionNumber !== definition.versionNumber) {
        dependencies.schemas.forget(definition.id);
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
