import type { Client } from '@temporalio/client';
import { unboundSchemaKey } from '../../domain/schema/unbound-key.ts';
import { recordAnnounced, unannouncedDefinitions } from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { wakeWaiting } from '../batches/wake-waiting.ts';
import { finishSchemaChanges } from './change-schema-definition.ts';

/** Time in which the creator of a definition wakes the batches that wait for it, in ms. */
const IN_FLIGHT_MS = 5_000;

/**
 * Finishes what requests on schema definitions left half done: wakes the batches that wait for a new one (invariant 5), and adapts stored
 * references to the schema after an aborted change. Safe to repeat and to run twice.
 */
export async function finishDefinitions(parts: {
  readonly database: Database;
  readonly client: Client;
}): Promise<void> {
  const { database } = parts;
  for (const { id, platform, name } of await unannouncedDefinitions(database, new Date(Date.now() - IN_FLIGHT_MS))) {
    await wakeWaiting(parts, [unboundSchemaKey(platform, name)]);
    await recordAnnounced(database, id);
  }
  await finishSchemaChanges(database);
}
