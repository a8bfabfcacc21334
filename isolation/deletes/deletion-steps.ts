import { randomInt } from 'node:crypto';
import { BSON, type Collection } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { isDuplicateKey, SupersededError } from '../../store/mongodb/errors.ts';
import { parts, partsByBytes } from '../../store/mongodb/parts.ts';
import { type Scan, scanOf } from '../../store/mongodb/scan.ts';

/**
 * A part of one step of a delete batch's plan: `batchId/run/step#part`. One activity runs the whole step, and its
 * resources vanish at one moment: when one of its attempts inserts the commit document of its group. Each attempt has a
 * group of its own; an attempt that takes over inserts the documents of earlier ones as aborted first, so that at most one is ever committed,
 * and marks that an earlier attempt sets late are marks of a group that is over.
 */
interface DeletionStepDocument {
  _id: string;
  step: number;
  keys: ResourceKey[];
  /** For each key the items that requested it, the first one first; none if only the cascade deletes it. */
  items: number[][];
  /** For each key that only the cascade deletes, some of the deleted resources that it refers to. */
  reasons: ResourceKey[][];
  /** Items whose outcome planning has decided. */
  decided: { indexes: number[]; outcome: StoredOutcome }[];
  /** Every part of the step is done. */
  done: boolean;
  /** First part only: groups that may have marks, and may still be committed. */
  groups?: string[];
  /** First part only, once the step is done: the number of deleted resources that no item requested. */
  cascaded?: number;
}

/** One step of a plan as an activity runs it. */
export interface DeletionStep {
  readonly id: string;
  /** Groups of attempts that have worked on it, and are not known to be over. */
  readonly groups: readonly string[];
  /** The keys to delete, with the reasons. */
  readonly targets: ReadonlyMap<ResourceKey, DeletionTarget>;
  readonly decided: readonly DecidedItems[];
}

export interface DeletionTarget {
  /** Items that requested it, the first one first; none if only the cascade deletes it. */
  readonly items: readonly number[];
  /** Some of the deleted resources that it refers to; empty if items requested it. */
  readonly reasons: readonly ResourceKey[];
}

/** Items (the first one, and its repeats) with the outcome that they get. */
export interface DecidedItems {
  readonly indexes: readonly number[];
  readonly outcome: StoredOutcome;
}

/** Keys and decided outcomes in one document, and their size in bytes. */
const ENTRIES_PER_DOCUMENT = 1000;
const BYTES_PER_DOCUMENT = 4 * 1024 * 1024;
/** Indexes of items in one entry: an id may be requested as often as a body has room for it. */
const INDEXES_PER_ENTRY = 50_000;
/** Bytes of an index in an array. */
const BYTES_PER_INDEX = 16;

/** The collection `deletion_steps`. */
export const stepsIn = (database: Database): Collection<DeletionStepDocument> =>
  database.collection<DeletionStepDocument>('deletion_steps');

/** Every part of a step, by its id alone. */
export const scanSteps = (database: Database): Scan<Pick<DeletionStepDocument, '_id'>> =>
  scanOf(stepsIn(database), { _id: 1 });

/** `_id`s of everything that belongs to a batch, in this collection and in `commits`. */
const ofBatch = (batchId: string) => ({ $gt: `${batchId}/`, $lt: `${batchId}0` });

/** Runs up to this one: some of their steps may be left, if the end of a run failed to remove them. */
const EARLIER_RUNS = 20;

/** The steps of a run and of those before it: a late command of a run that is over does not touch the plan of a later one. */
const ofRun = (batchId: string, run: number) => ({
  $or: runsUpTo(run).map((one) => ({ _id: { $gt: `${batchId}/${one}/`, $lt: `${batchId}/${one}0` } })),
});

export const runsUpTo = (run: number): number[] =>
  Array.from({ length: Math.min(run, EARLIER_RUNS) }, (_, earlier) => run - earlier);

/** The identity of a step; numbers of steps are unique in a run. In the version before this one it was also its group. */
export const stepId = (batchId: string, run: number, step: number): string => `${batchId}/${run}/${step}`;

/** Most steps of one plan. */
const STEPS_PER_PLAN = 1_000_000;
/** Number of rounds that a step number can express: more than there are. */
const ROUNDS = 32;
/** Number of plans of one round that a step number can express: the largest number of a step is an integer that a double holds. */
const PLANS_PER_ROUND = 2 ** 26;
/** Numbers below it belong to an earlier version, by round and attempt, of which it could express this many. */
const FIRST_NUMBER = 10 ** 12;
const OLD_ATTEMPTS_PER_ROUND = 1_000;

/**
 * The first number for the steps of a plan. Each attempt to plan a round chooses random numbers: a late attempt that was timed out
 * cannot change the plan that is being run.
 */
export const firstStep = (round: number): number =>
  FIRST_NUMBER + (randomInt(PLANS_PER_ROUND) * ROUNDS + round) * STEPS_PER_PLAN;

export const roundOfStep = (step: number): number =>
  step < FIRST_NUMBER
    ? Math.floor(step / STEPS_PER_PLAN / OLD_ATTEMPTS_PER_ROUND)
    : Math.floor((step - FIRST_NUMBER) / STEPS_PER_PLAN) % ROUNDS;

/** Stores a step. @throws SupersededError if there is one of that number: the round has to be planned again, with other numbers. */
export async function insertStep(
  database: Database,
  batch: { readonly batchId: string; readonly run: number },
  step: number,
  { targets, decided }: Pick<DeletionStep, 'targets' | 'decided'>,
): Promise<void> {
  const entries = [...entriesOf(targets, decided)];
  const parts = [...partsByBytes(entries, ENTRIES_PER_DOCUMENT, bytesOf, BYTES_PER_DOCUMENT)];
  for (const [part, some] of (parts.length === 0 ? [[]] : parts).entries()) {
    const asked = some.flatMap((entry) => ('key' in entry ? [entry] : []));
    await insertPart(database, {
      _id: partId(stepId(batch.batchId, batch.run, step), part),
      step,
      keys: asked.map(({ key }) => key),
      items: asked.map(({ items }) => items),
      reasons: asked.map(({ reasons }) => reasons),
      decided: some.flatMap((entry) => ('key' in entry ? [] : [entry])),
      done: false,
    });
  }
}

async function insertPart(database: Database, part: DeletionStepDocument): Promise<void> {
  try {
    await stepsIn(database).insertOne(part);
  } catch (error) {
    throw isDuplicateKey(error) ? new SupersededError('another plan has steps of these numbers') : error;
  }
}

/** A key, or a decided outcome, with some of its items: one that is requested very often has several entries. */
type Entry =
  | { readonly key: ResourceKey; readonly items: number[]; readonly reasons: ResourceKey[] }
  | { readonly indexes: number[]; readonly outcome: StoredOutcome };

function* entriesOf(targets: DeletionStep['targets'], decided: readonly DecidedItems[]): Generator<Entry> {
  for (const [key, { items, reasons }] of targets) {
    if (items.length === 0) yield { key, items: [], reasons: [...reasons] };
    for (const some of parts(items, INDEXES_PER_ENTRY)) yield { key, items: some, reasons: [...reasons] };
  }
  for (const { indexes, outcome } of decided) {
    for (const [at, some] of [...parts(indexes, INDEXES_PER_ENTRY)].entries())
      yield { indexes: some, outcome: at > 0 ? { ...outcome, repeat: true } : outcome };
  }
}

function bytesOf(entry: Entry): number {
  if (!('key' in entry)) return entry.indexes.length * BYTES_PER_INDEX + BSON.calculateObjectSize(entry.outcome);
  const keys = [entry.key, ...entry.reasons].reduce((sum, key) => sum + Buffer.byteLength(key), 0);
  return keys + entry.items.length * BYTES_PER_INDEX;
}

/** Parts sort as numbers do. */
export const partId = (step: string, part: number): string => `${step}#${String(part).padStart(6, '0')}`;

/** The whole of a step; null if it does not exist (any more). */
export async function readStep(database: Database, id: string): Promise<DeletionStep | null> {
  const parts = await stepsIn(database)
    .find({ _id: { $gt: `${id}#`, $lt: `${id}$` } })
    .sort({ _id: 1 })
    .toArray();
  return parts.length === 0 ? null : toStep(id, parts);
}

function toStep(id: string, parts: readonly DeletionStepDocument[]): DeletionStep {
  const targets = new Map<ResourceKey, DeletionTarget>();
  for (const { keys, items, reasons } of parts) {
    for (const [at, key] of keys.entries()) {
      const before = targets.get(key)?.items ?? [];
      targets.set(key, { items: [...before, ...(items[at] ?? [])], reasons: reasons[at] ?? [] });
    }
  }
  return { id, groups: parts[0]?.groups ?? [], targets, decided: parts.flatMap((part) => part.decided) };
}

/**
 * Notes that every part of this step is done. Safe to repeat: the first count stays, because the
 * documents that decided about the step may be removed later.
 * @param cascaded number of deleted resources that no item requested.
 */
export async function markStepDone(database: Database, id: string, cascaded: number): Promise<void> {
  await stepsIn(database).updateOne(
    { _id: partId(id, 0), cascaded: { $exists: false } },
    { $set: { cascaded, done: true } },
  );
  // if the update misses a part, the step is finished once more at the end of its run, which changes nothing
  await stepsIn(database).updateMany({ _id: { $gt: `${id}#`, $lt: `${id}$` } }, { $set: { done: true } });
}

/** Number of resources that the finished steps of a run have deleted, and that no item requested. */
export async function cascadedInRun(database: Database, batchId: string, run: number): Promise<number> {
  const counted = stepsIn(database).find(
    { _id: { $gt: `${batchId}/${run}/`, $lt: `${batchId}/${run}0` }, cascaded: { $gt: 0 } },
    { projection: { cascaded: 1 } },
  );
  let sum = 0;
  for await (const { cascaded = 0 } of counted) sum += cascaded;
  return sum;
}

/** Whether there is any step of a batch, done or not. */
export async function hasStepsLeft(database: Database, batchId: string): Promise<boolean> {
  return (await stepsIn(database).findOne({ _id: ofBatch(batchId) }, { projection: { _id: 1 } })) !== null;
}

/** Steps of a batch, up to a run or all, that may have been left half done, one at a time. */
export async function* unfinishedSteps(
  database: Database,
  batchId: string,
  run?: number,
): AsyncGenerator<DeletionStep> {
  const open = await stepsIn(database)
    .find({ ...upTo(batchId, run), done: false }, { projection: { _id: 1 } })
    .toArray();
  for (const id of new Set(open.map(({ _id }) => _id.slice(0, _id.lastIndexOf('#'))))) {
    const step = await readStep(database, id);
    if (step !== null) yield step;
  }
}

export const upTo = (batchId: string, run: number | undefined) =>
  run === undefined ? { _id: ofBatch(batchId) } : ofRun(batchId, run);
