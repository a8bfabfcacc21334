import { mendSchemaDefinitions } from '../services/change-schema-definition.ts';
import { recordAnnounced, unannouncedDefinitions } from '../store/schema-definitions.ts';
import type { Dependencies } from './dependencies.ts';
import { wakeWaiting } from './wake-waiting.ts';
import { unboundSchemaKey } from './work-items.ts';

/** What the creator of a definition is given to tell of it, in ms. */
const IN_FLIGHT_MS = 5_000;

/**
 * Finishes what requests on schema definitions left half done: tells who waits for a new one (invariant 5), and brings stored
 * references in line with the schema after a change that was broken off. Safe to repeat and to run twice.
 */
export async function mendDefinitions(dependencies: Pick<Dependencies, 'database' | 'client'>): Promise<void> {
  const { database } = dependencies;
  for (const { id, platform, name } of await unannouncedDefinitions(database, new Date(Date.now() - IN_FLIGHT_MS))) {
    await wakeWaiting(dependencies, [unboundSchemaKey(platform, name)]);
    await recordAnnounced(database, id);
  }
  await mendSchemaDefinitions(database);
}
