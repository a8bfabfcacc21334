import type { Collection } from 'mongodb';
import { isTerminal } from '../../domain/batch/batch.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { batchesIn } from '../../store/batches/batches.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { deleteEach } from '../../store/mongodb/each-by-id.ts';
import { isDuplicateKey, SupersededError } from '../../store/mongodb/errors.ts';
import { keyParts, parts } from '../../store/mongodb/parts.ts';
import { type Scan, scanOf } from '../../store/mongodb/scan.ts';

/**
 * The targets to which one attempt of an activity is about to make resources refer. Laid before the attempt reads its targets, removed
 * when its writes are done: a deleter that marks a target and then finds no intent knows that no writer is about to refer to it
 * (invariant 3). A change of a schema definition finds writers under the old version here.
 */
interface IntentDocument {
  _id: string;
  /** The attempt that laid it. */
  attempt: string;
  batchId: string;
  schemaDefinitionIds: string[];
  targets: ResourceKey[];
  laidAt: Date;
}

/** The collection `intents`. */
export const intentsIn = (database: Database): Collection<IntentDocument> => database.collection('intents');

/** Every part of an intent, without its targets. */
export const scanIntents = (database: Database): Scan<Pick<IntentDocument, '_id' | 'batchId'>> =>
  scanOf(intentsIn(database), { batchId: 1 });

/** Largest number of targets in one document, which has at most 4 MB of them. */
const TARGETS_PER_DOCUMENT = 5_000;

interface Intent {
  /** Names the attempt, and no other one (`attemptName`). */
  readonly id: string;
  readonly batchId: string;
  readonly schemaDefinitionIds: readonly string[];
  readonly targets: readonly ResourceKey[];
}

/** @throws SupersededError if there is one of that name: the attempt has to begin again, with a name of its own. */
export async function layIntent(database: Database, intent: Intent): Promise<void> {
  const documents = partsOf(intent.targets).map((targets, part) => ({
    _id: partId(intent.id, part),
    attempt: intent.id,
    batchId: intent.batchId,
    schemaDefinitionIds: [...intent.schemaDefinitionIds],
    targets,
    laidAt: new Date(),
  }));
  try {
    await intentsIn(database).insertMany(documents);
  } catch (error) {
    throw isDuplicateKey(error) ? new SupersededError('an intent of this name is laid already') : error;
  }
}

/** The targets that each document of an intent names: there is at least one document. */
function partsOf(targets: readonly ResourceKey[]): ResourceKey[][] {
  const parts = [...keyParts(targets, TARGETS_PER_DOCUMENT)];
  return parts.length === 0 ? [[]] : parts;
}

const partId = (id: string, part: number): string => `${id}#${part}`;

/** `_id`s of the intents of a workflow, or of one of its executions or activities: each may have a command under way. */
export async function intentsOf(database: Database, whom: string): Promise<string[]> {
  // '0' comes right after '/': the range is served by `_id`
  const range = { _id: { $gt: `${whom}/`, $lt: `${whom}0` } };
  const found = await intentsIn(database)
    .find(range, { projection: { _id: 1 } })
    .toArray();
  return found.map(({ _id }) => _id);
}

/** The name of the attempt that has laid an intent. */
export const attemptOfIntent = (id: string): string => id.slice(0, id.lastIndexOf('#'));

/** Removes intents whose attempts can write nothing any more. */
export async function removeIntents(database: Database, ids: readonly string[]): Promise<void> {
  for (const some of parts(ids)) await deleteEach(intentsIn(database), some);
}

/** Removes all parts of an intent: deletes and changes of definitions wait for any part of it. */
export async function withdrawIntent(
  database: Database,
  { id, targets }: Pick<Intent, 'id' | 'targets'>,
): Promise<void> {
  await deleteEach(
    intentsIn(database),
    partsOf(targets).map((_, part) => partId(id, part)),
  );
}

/** Live intents on any of these targets. Intents of batches that ended or were removed are removed as well. */
export async function intentsOn(database: Database, targets: readonly ResourceKey[]): Promise<IntentDocument[]> {
  return liveIntents(
    database,
    await intentsIn(database)
      .find({ targets: { $in: [...targets] } })
      .toArray(),
  );
}

/** Live intents to write resources of a schema definition. */
export async function intentsToWrite(database: Database, schemaDefinitionId: string): Promise<IntentDocument[]> {
  return liveIntents(database, await intentsIn(database).find({ schemaDefinitionIds: schemaDefinitionId }).toArray());
}

async function liveIntents(database: Database, intents: IntentDocument[]): Promise<IntentDocument[]> {
  if (intents.length === 0) return [];
  const batchIds = [...new Set(intents.map((intent) => intent.batchId))];
  const batches = await batchesIn(database)
    .find({ _id: { $in: batchIds } }, { projection: { status: 1 } })
    .toArray();
  const running = new Set(batches.filter((batch) => !isTerminal(batch.status)).map((batch) => batch._id));
  const stale = intents.filter((intent) => !running.has(intent.batchId)).map((intent) => intent._id);
  // an intent that the delete misses is left out here as well, and removed by the next process that meets it
  if (stale.length > 0) await intentsIn(database).deleteMany({ _id: { $in: stale } });
  return intents.filter((intent) => running.has(intent.batchId));
}

/**
 * Removes intents of batches that are over: their attempts died after their writes. Safe at any time.
 * @param after `_id` of the last intent that was checked. @returns the last one now; null at the end.
 */
export async function removeStaleIntents(database: Database, after: string, limit: number): Promise<string | null> {
  const page = await intentsIn(database)
    .find({ _id: { $gt: after } }, { projection: { targets: 0 } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
  await liveIntents(database, page);
  return page.length < limit ? null : (page.at(-1)?._id ?? null);
}
