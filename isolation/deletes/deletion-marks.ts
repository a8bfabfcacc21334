import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { updateEach } from '../../store/mongodb/each-by-id.ts';
import { parts } from '../../store/mongodb/parts.ts';
import { NO_PLACEHOLDER, type ResourceDocument, readResources, resourcesIn } from '../../store/resources.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { resolveMarks } from '../groups/resolve-marks.ts';
import { intentsIn, intentsOn } from '../intents/intents.ts';
import { storedReferrers, type Vertex } from '../resources/reference-graph.ts';
import { unmarkForDeletion } from '../resources/write-resources.ts';

/** A resource as a delete reads it. */
export type MarkedForDeletion = Omit<ResourceDocument, 'data'>;

/** A delete that marks resources with its own group. */
export interface Deletion {
  readonly database: Database;
  readonly attempt: Pick<Attempt, 'assertInTime' | 'isOfEarlierAttempt'>;
  readonly batchId: string;
  readonly group: string;
}

/** Times in a row that a delete reads again after others have changed what it read. */
const MAX_CHECKS = 5;
/** Time between two checks whether writers are done, in ms. */
const WRITERS_POLL_MS = 40;

/** Resources that no batch is deleting or creating. */
const UNMARKED = { leaving: { $exists: false }, hidden: { $exists: false } } as const;

/**
 * Marks the existing ones of these resources; marks of others whose group is decided are resolved first. The first of the three
 * steps that keep references whole: mark, then `waitForWriters`, then `findReferrers` (invariant 3). Safe to repeat.
 * @returns the resources that are marked now; null while another batch is at work on one of them.
 */
export async function takeMarks(
  deletion: Deletion,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, MarkedForDeletion> | null> {
  const { database, attempt, batchId, group } = deletion;
  for (let check = 0; check < MAX_CHECKS; check++) {
    const mark = check === 0 ? markForDeletion : markEach;
    for (const some of parts(keys)) {
      attempt.assertInTime();
      await mark(database, batchId, group, some);
    }
    const documents = await readMarked(database, keys);
    const others = documents.filter((document) => document.leaving?.group !== group);
    if (others.length === 0) return new Map(documents.map((document) => [document._id, document]));
    if ((await resolveMarks(database, attempt, others)).undecided.size > 0) return null;
  }
  return null;
}

/** Those of these resources that a group has marked, with their data. */
export async function markedResources(
  database: Database,
  group: string,
  keys: readonly ResourceKey[],
): Promise<ResourceDocument[]> {
  const found: ResourceDocument[] = [];
  for await (const resource of readResources(database, { _id: { $in: [...keys] }, 'leaving.group': group }))
    found.push(resource);
  return found;
}

/** Takes back the marks of this group on these resources. Safe to repeat. */
export async function takeBackMarks(
  { database, attempt, group }: Deletion,
  keys: readonly ResourceKey[],
): Promise<void> {
  for (const some of parts(keys)) {
    attempt.assertInTime();
    await unmarkForDeletion(database, group, some);
  }
}

/**
 * Waits for the writers that may have read the targets before these were marked. A writer that lays its intent later finds the marks,
 * and is not waited for. @returns false if one takes longer than `patienceMs`.
 */
export async function waitForWriters(
  { database }: Deletion,
  keys: readonly ResourceKey[],
  patienceMs: number,
): Promise<boolean> {
  let before = new Set<string>();
  for (const some of parts(keys)) for (const intent of await intentsOn(database, some)) before.add(intent._id);
  const until = performance.now() + patienceMs;
  while (before.size > 0) {
    if (performance.now() > until) return false;
    await sleep(WRITERS_POLL_MS);
    before = await remainingIntents(database, before);
  }
  return true;
}

/** @returns resources that are not marked and refer to some that are; null while another batch is at work on one of them. */
export async function findReferrers(
  { database, attempt }: Deletion,
  marked: ReadonlyMap<ResourceKey, MarkedForDeletion>,
): Promise<Vertex[] | null> {
  for (let check = 0; check < MAX_CHECKS; check++) {
    const referrers = new Map<ResourceKey, Vertex>();
    for (const some of parts([...marked.keys()])) {
      for await (const page of storedReferrers(database, some)) {
        for (const vertex of page) if (!marked.has(vertex._id)) referrers.set(vertex._id, vertex);
      }
    }
    const undecided = [...referrers.values()].filter(
      ({ hidden, leaving }) => hidden !== undefined || leaving !== undefined,
    );
    if (undecided.length === 0) return [...referrers.values()];
    if ((await resolveMarks(database, attempt, undecided)).undecided.size > 0) return null;
  }
  return null;
}

/**
 * Marks resources as about to be removed by a group, unless another group has marked them. MongoDB may miss some: the caller
 * reads the marked ones, and calls `markEach` for the rest. Safe to repeat.
 * @internal exported for tests, which stop a delete after its marks
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

/** The same for a few resources, none of which is missed. */
async function markEach(
  database: Database,
  batchId: string,
  group: string,
  keys: readonly ResourceKey[],
): Promise<void> {
  await updateEach(resourcesIn(database), keys, UNMARKED, { $set: { leaving: { batchId, group } } });
}

/** The stored resources of these identities, visible or not, without the data. */
async function readMarked(database: Database, keys: readonly ResourceKey[]): Promise<MarkedForDeletion[]> {
  const documents: MarkedForDeletion[] = [];
  for (const some of parts(keys)) {
    const found = await resourcesIn(database)
      .find({ _id: { $in: some }, hidden: NO_PLACEHOLDER }, { projection: { data: 0 } })
      .toArray();
    for (const document of found) documents.push(document);
  }
  return documents;
}

/**
 * Of these intents, those that have not been withdrawn.
 * @internal exported for tests, which check it by itself
 */
export async function remainingIntents(database: Database, ids: ReadonlySet<string>): Promise<Set<string>> {
  const found = await intentsIn(database)
    .find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map((intent) => intent._id));
}
