import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { updateEach } from '../../store/mongodb/each-by-id.ts';
import { slices } from '../../store/mongodb/slices.ts';
import { NO_PLACEHOLDER, type ResourceDocument, resourcesIn } from '../../store/resources.ts';
import { intentsIn } from '../intents/intents.ts';

/** A resource as a delete looks at it. */
export type MarkedForDeletion = Omit<ResourceDocument, 'data'>;

/** Those that nobody has marked, and that nobody is creating. */
const UNMARKED = { leaving: { $exists: false }, hidden: { $exists: false } } as const;

/**
 * Marks resources as about to be removed by a group, unless somebody else has marked them. Some may be passed over: the caller
 * reads what is marked, and calls `markEach` for the rest. Safe to repeat.
 */
export async function markForDeletion(
  database: Database,
  batchId: string,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  await resourcesIn(database).updateMany(
    { _id: { $in: [...keys] }, ...UNMARKED },
    { $set: { leaving: { batchId, group } } },
  );
}

/** The same for a few, none of which is passed over. */
export async function markEach(
  database: Database,
  batchId: string,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  await updateEach(resourcesIn(database), keys, UNMARKED, { $set: { leaving: { batchId, group } } });
}

/** What is stored under these identities, seen or not, without the data. */
export async function readMarked(database: Database, keys: readonly ResourceKey[]): Promise<MarkedForDeletion[]> {
  const documents: MarkedForDeletion[] = [];
  for (const some of slices(keys)) {
    const found = await resourcesIn(database)
      .find({ _id: { $in: some }, hidden: NO_PLACEHOLDER }, { projection: { data: 0 } })
      .toArray();
    for (const document of found) documents.push(document);
  }
  return documents;
}

/** Of these intents, those that have not been withdrawn. */
export async function remainingIntents(database: Database, ids: ReadonlySet<string>): Promise<Set<string>> {
  const found = await intentsIn(database)
    .find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map((intent) => intent._id));
}
