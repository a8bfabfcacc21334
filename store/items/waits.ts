import type { Collection } from 'mongodb';
import { appendTo } from '../../domain/collections/append-to.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { noLaterRun, type RunOfBatch, upsertOfRun } from '../batches/run-fence.ts';
import type { Database } from '../mongodb/database.ts';
import { keyParts, partsByBytes } from '../mongodb/parts.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';

/**
 * One batch waits for one missing identity. A batch that waits registers here, then checks; a batch that creates a resource writes it, then reads the registrations here
 * (invariant 5). Each wait is a document: any number of batches may wait for one identity, and one batch for any number.
 */
interface WaitDocument {
  /** `batchId/key`. */
  _id: string;
  key: ResourceKey;
  batchId: string;
  /** Names the registration: a later one of the same batch and identity has another token. */
  token: string;
  /** The latest run that has registered; absent: an earlier version has. */
  run?: number;
}

/**
 * The collection `waits`.
 * @internal exported for tests, which look into the collection
 */
export const waitsIn = (database: Database): Collection<WaitDocument> => database.collection('waits');

/** Every registration. */
export const scanWaits = (database: Database): Scan<WaitDocument> => scanOf(waitsIn(database), {});

/** A registration as it was read. */
export type Registration = Pick<WaitDocument, '_id' | 'key' | 'batchId' | 'token'>;

/** Registrations that are read, or removed, in one step. */
const REGISTRATIONS_AT_ONCE = 5_000;

const waitId = (batchId: string, key: ResourceKey): string => `${batchId}/${key}`;

/**
 * Registers a run of a batch under its missing identities; repeated with another token, so that the answer to the earlier registration does not
 * remove it. Registrations of a later run are not changed.
 */
export async function registerWaits(
  database: Database,
  { _id: batchId, run }: RunOfBatch,
  token: string,
  keys: Iterable<ResourceKey>,
): Promise<void> {
  for (const some of keyParts(keys)) {
    await upsertOfRun(
      waitsIn(database),
      run,
      some.map((key) => ({ _id: waitId(batchId, key), update: { $set: { key, batchId, token, run } } })),
    );
  }
}

/** Of these identities, those for which this run of the batch is registered: registrations of an earlier run may be removed at any time. */
export async function registeredKeys(
  database: Database,
  { _id: batchId, run }: RunOfBatch,
  keys: Iterable<ResourceKey>,
): Promise<Set<ResourceKey>> {
  const found = new Set<ResourceKey>();
  for (const some of keyParts(keys, REGISTRATIONS_AT_ONCE)) {
    const ids = some.map((key) => waitId(batchId, key));
    const filter = { _id: { $in: ids }, run: { $gte: run } };
    for await (const { key } of waitsIn(database).find(filter, { projection: { key: 1 } })) found.add(key);
  }
  return found;
}

/** The batches that wait for some identities, a few thousand registrations at a time. */
export async function* registrationsFor(
  database: Database,
  keys: Iterable<ResourceKey>,
): AsyncGenerator<Registration[]> {
  for (const some of keyParts(keys, REGISTRATIONS_AT_ONCE)) {
    let page: Registration[] = [];
    for await (const registration of waitsIn(database).find({ key: { $in: some } })) {
      page.push(registration);
      if (page.length < REGISTRATIONS_AT_ONCE) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }
}

/** A part of all registrations, in order of `_id`. */
export async function waitsAfter(database: Database, after: string, limit: number): Promise<Registration[]> {
  return waitsIn(database)
    .find({ _id: { $gt: after } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
}

/** Removes registrations that were answered; one that was renewed since it was read stays. */
export async function removeWaits(database: Database, answered: readonly Registration[]): Promise<void> {
  const byToken = new Map<string, string[]>();
  for (const { _id, token } of answered) {
    appendTo(byToken, token, _id);
  }
  const removals = [...byToken].flatMap(([token, ids]) => [...keyParts(ids)].map((some) => ({ token, ids: some })));
  const bytesOf = ({ ids }: { ids: string[] }) => ids.reduce((sum, id) => sum + Buffer.byteLength(id), 0);
  for (const some of partsByBytes(removals, REGISTRATIONS_AT_ONCE, bytesOf)) {
    await waitsIn(database).bulkWrite(
      some.map(({ token, ids }) => ({ deleteMany: { filter: { _id: { $in: ids }, token } } })),
      { ordered: false },
    );
  }
}

/**
 * Removes every registration of a batch that waits for nothing any more, and calls `progress` in between. Safe to repeat.
 * @param run the run that has ended: registrations of a later one stay (invariant 5). Absent: the batch is removed.
 */
export async function removeWaitsOf(
  database: Database,
  { _id: batchId, run }: Pick<RunOfBatch, '_id'> & Partial<RunOfBatch>,
  progress: () => void = () => undefined,
): Promise<void> {
  const ended = run === undefined ? {} : noLaterRun(run);
  for (;;) {
    progress();
    const some = await waitsIn(database)
      .find({ batchId, ...ended }, { projection: { _id: 1 } })
      .limit(KEYS_REMOVED_AT_ONCE)
      .toArray();
    if (some.length === 0) return;
    await waitsIn(database).deleteMany({ _id: { $in: some.map(({ _id }) => _id) }, ...ended });
  }
}

/** Number of the longest identities with which a command stays below 4 MB. */
const KEYS_REMOVED_AT_ONCE = 1_000;
