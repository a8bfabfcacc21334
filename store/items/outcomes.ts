import { createHash } from 'node:crypto';
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { ItemAction, ItemError, ItemStatus } from '../../domain/batch/outcome.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { noLaterRun } from '../batches/run-fence.ts';
import { currentAttempt } from '../mongodb/command-time.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach } from '../mongodb/each-by-id.ts';
import { isDuplicateKey, SupersededError } from '../mongodb/errors.ts';
import { slices } from '../mongodb/slices.ts';
import { pageId, pageIds, pagesWith } from './item-pages.ts';
import { type KeyList, readLists } from './key-lists.ts';

/** Outcomes of the items of one page, by index. An item that is not in it is queued. */
export interface OutcomePageDocument {
  _id: string;
  outcomes: Record<string, StoredOutcome>;
  /** The latest run that has written here; absent: an earlier version has. */
  run?: number;
  /**
   * Activities of which a later attempt has taken over -> since when an attempt may have been scheduled that still writes here
   * (an earlier version has put the lowest number of an attempt).
   */
  fences?: Record<string, number>;
  /** An execution has taken over from another one of the run: since when one works that may still write here. */
  execution?: number;
}

/** The collection `outcome_pages`. */
export const outcomePagesIn = (database: Database): Collection<OutcomePageDocument> =>
  database.collection('outcome_pages');

/** What became of one item. A terminal one is written once and changed by a retry only. */
export interface StoredOutcome {
  status: ItemStatus;
  action?: ItemAction;
  errors?: ItemError[];
  /** The first of what a pending, expired or failed item missed (`MISSING_PER_OUTCOME`). */
  missing?: MissingKey[];
  /** How many it missed. Absent in outcomes of the version before this one, whose `missing` holds all. */
  missingTotal?: number;
  /** A pending item that misses more than `missing` holds: where all of it is. */
  missingList?: KeyList;
  /** A pending item: how many references it has, there or not; absent in outcomes of the version before this one. */
  references?: number;
  /** The item has waited: its batch may still be registered for what it missed then. */
  hasWaited?: true;
  /** What `hasWaited` was in the version before this one. */
  waitedFor?: ResourceKey[];
  /** When the item became pending, and its absolute deadline. */
  pendingSince?: Date;
  expiresAt?: Date;
  /** How often the item has been carried out; 0 while it is queued for the first time. */
  attempts: number;
  /** The item repeats an earlier one of its batch, and has its outcome. */
  repeat?: boolean;
  /** The execution that a deletion of process instances is about to end, noted before it does (invariant 2). */
  target?: { workflowId: string; runId: string; firstRunId: string };
}

/** A missing identity; without `schemaDefinitionId` the schema definition itself is not there yet. */
export interface MissingKey {
  key: ResourceKey;
  schemaDefinitionId?: string;
  schemaName: string;
  externalId: string;
}

/** Whether an item has waited so far: registrations of its batch go when that is over. */
export function hasWaited(before: StoredOutcome | undefined): Pick<StoredOutcome, 'hasWaited'> {
  const waited = before?.hasWaited ?? (before?.waitedFor !== undefined || before?.status === 'pending');
  return waited ? { hasWaited: true } : {};
}

/** What a pending item misses. */
export interface Missed {
  readonly keys: readonly ResourceKey[];
  /** The stored list that holds all of it, where there is one. */
  readonly list?: KeyList;
}

/**
 * All that pending items miss, by index. Of one whose list is gone that is what its outcome names: once those are there, the item
 * is applied, which finds from its body what else it misses.
 */
export async function allMissing(
  database: Database,
  outcomes: readonly (readonly [number, StoredOutcome])[],
): Promise<Map<number, Missed>> {
  const listed = outcomes.map(([, { missing = [], missingList }]) => ({
    keys: [...new Set(missing.map(({ key }) => key))],
    list: missingList,
  }));
  const found = await readLists(database, listed);
  return new Map(
    outcomes.map(([index], at) => {
      const [all, { keys, list } = { keys: [], list: undefined }] = [found[at], listed[at]];
      return [index, all ? { keys: all, ...(list && { list }) } : { keys }] as const;
    }),
  );
}

const UNSETTLED = [null, 'queued', 'pending'];

/** Outcomes of some items of a batch: index -> outcome. Queued items are absent. */
export async function readOutcomes(
  database: Database,
  batch: { readonly _id: string; readonly pageSize: number },
  indexes: readonly number[],
): Promise<Map<number, StoredOutcome>> {
  const outcomes = new Map<number, StoredOutcome>();
  const wanted = new Set(indexes);
  for (const [index, outcome] of await readOutcomePages(database, batch._id, pagesWith(batch, indexes))) {
    if (wanted.has(index)) outcomes.set(index, outcome);
  }
  return outcomes;
}

/** All outcomes of some pages, in index order within each page. */
export async function readOutcomePages(
  database: Database,
  batchId: string,
  pages: readonly number[],
): Promise<[number, StoredOutcome][]> {
  const documents = await outcomePagesIn(database)
    .find({ _id: { $in: pages.map((page) => pageId(batchId, page)) } })
    .toArray();
  return documents.flatMap((document) =>
    Object.entries(document.outcomes).map(([index, outcome]): [number, StoredOutcome] => [Number(index), outcome]),
  );
}

/** A run of a batch, as far as its outcomes are concerned. */
export interface OutcomeWriter {
  readonly _id: string;
  readonly run: number;
  readonly pageSize: number;
  readonly total: number;
  /** The execution that works on the run. */
  readonly execution?: { readonly since: number };
}

/**
 * Writes outcomes over items that are queued or pending; one that is settled already stays as it is (invariant 1: exactly one
 * terminal outcome). Nothing is written to a page that a later run has written to: whoever is late, of a run that has ended, finds
 * there what that one has queued again. One command for the usual case; a page where something was settled meanwhile is read and
 * written again.
 * @param isFirst no outcome of these items was found: pages that they fill are inserted, which costs far less than matching
 * each of their items. Where there is one after all, the insert finds the page taken.
 */
export async function writeOutcomes(
  database: Database,
  batch: OutcomeWriter,
  outcomes: ReadonlyMap<number, StoredOutcome>,
  isFirst = false,
): Promise<void> {
  if (outcomes.size === 0) return;
  const pages = groupByPage(outcomes, batch.pageSize);
  const operations = [...pages].map(([page, entries]): AnyBulkWriteOperation<OutcomePageDocument> => {
    const isFilled = entries.length === Math.min(batch.pageSize, batch.total - page * batch.pageSize);
    return isFirst && isFilled ? insertion(batch, page, entries) : update(batch, page, entries);
  });
  try {
    await outcomePagesIn(database).bulkWrite(operations, { ordered: false });
  } catch (error) {
    // The page exists and does not match: another delivery made it or settled something in it, or has taken over.
    if (!isDuplicateKey(error)) throw error;
    await assertNotTakenOver(database, batch, [...pages.keys()]);
    await writeOutcomes(database, batch, await stillOpen(database, batch, outcomes));
  }
}

/** Outcomes of items that are not settled, in pages that no later run has written to. */
async function stillOpen(
  database: Database,
  batch: OutcomeWriter,
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<Map<number, StoredOutcome>> {
  const ids = pagesWith(batch, [...outcomes.keys()]).map((page) => pageId(batch._id, page));
  const stored = new Map<string, OutcomePageDocument>();
  for (const page of await outcomePagesIn(database)
    .find({ _id: { $in: ids } })
    .toArray())
    stored.set(page._id, page);
  const isOpen = (index: number): boolean => {
    const page = stored.get(pageId(batch._id, Math.floor(index / batch.pageSize)));
    return (page?.run ?? 0) <= batch.run && UNSETTLED.includes(page?.outcomes[index]?.status ?? null);
  };
  return new Map([...outcomes].filter(([index]) => isOpen(index)));
}

/** The name of an activity in `fences`: a field name without dots. */
const fenceName = (activity: string): string => createHash('sha256').update(activity).digest('base64url').slice(0, 16);

/**
 * Keeps earlier attempts of the activity that runs, and activities of earlier executions, from writing outcomes of these items,
 * however late a command of theirs is carried out. Safe to repeat.
 */
export async function fenceOutcomes(
  database: Database,
  batch: Pick<OutcomeWriter, '_id' | 'pageSize' | 'execution'>,
  indexes: readonly number[],
): Promise<void> {
  if (indexes.length === 0) return;
  const fences = lastFences(batch);
  await outcomePagesIn(database).bulkWrite(
    pagesWith(batch, indexes).map((page) => ({
      updateOne: {
        filter: { _id: pageId(batch._id, page) },
        update: { $max: fences, $setOnInsert: { outcomes: {} } },
        upsert: true,
      },
    })),
    { ordered: false },
  );
}

/** The last that may have taken over a page, by field, so that whoever writes outcomes now may. */
function lastFences({ execution }: Pick<OutcomeWriter, 'execution'>): Record<string, number> {
  const attempt = currentAttempt();
  const ofAttempt = attempt === undefined ? {} : { [`fences.${fenceName(attempt.activity)}`]: attempt.since };
  return { ...ofAttempt, execution: execution?.since ?? 0 };
}

/** Matches pages that neither a later attempt of the activity that runs nor a later execution has taken over. */
const underFence = (batch: OutcomeWriter): Record<string, { $not: { $gt: number } }> =>
  Object.fromEntries(Object.entries(lastFences(batch)).map(([field, last]) => [field, { $not: { $gt: last } }]));

async function assertNotTakenOver(database: Database, batch: OutcomeWriter, pages: readonly number[]): Promise<void> {
  const ids = pages.map((page) => pageId(batch._id, page));
  const later = Object.entries(lastFences(batch)).map(([field, last]) => ({ [field]: { $gt: last } }));
  const fenced = await outcomePagesIn(database).findOne({ _id: { $in: ids }, $or: later });
  if (fenced !== null) throw new SupersededError('a later attempt or execution has taken over');
}

type Entries = readonly (readonly [number, StoredOutcome])[];

function insertion(
  { _id, run }: OutcomeWriter,
  page: number,
  entries: Entries,
): AnyBulkWriteOperation<OutcomePageDocument> {
  return { insertOne: { document: { _id: pageId(_id, page), outcomes: Object.fromEntries(entries), run } } };
}

function update(batch: OutcomeWriter, page: number, entries: Entries): AnyBulkWriteOperation<OutcomePageDocument> {
  const { _id, run } = batch;
  return {
    updateOne: {
      filter: {
        _id: pageId(_id, page),
        ...noLaterRun(run),
        ...Object.fromEntries(entries.map(([index]) => [`outcomes.${index}.status`, { $in: UNSETTLED }])),
        ...underFence(batch),
      },
      update: {
        $set: Object.fromEntries(entries.map(([index, outcome]) => [`outcomes.${index}`, outcome])),
        $max: { run },
      },
      upsert: true,
    },
  };
}

function groupByPage(
  outcomes: ReadonlyMap<number, StoredOutcome>,
  size: number,
): Map<number, [number, StoredOutcome][]> {
  const pages = new Map<number, [number, StoredOutcome][]>();
  for (const entry of outcomes) {
    const page = Math.floor(entry[0] / size);
    appendTo(pages, page, entry);
  }
  return pages;
}

/**
 * Takes terminal outcomes back to queued for a retry, keeping the count of attempts: each page once in a run, so that whoever is
 * late changes nothing. From then on nobody of an earlier run writes to it. A page that has changed since it was read is read again.
 */
export async function requeueOutcomes(
  database: Database,
  batch: Pick<OutcomeWriter, '_id' | 'run' | 'pageSize'>,
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<void> {
  const operations = [...groupByPage(outcomes, batch.pageSize)].map(([page, entries]) => ({
    updateOne: {
      filter: {
        _id: pageId(batch._id, page),
        run: { $not: { $gte: batch.run } },
        ...Object.fromEntries(entries.map(([index, { status }]) => [`outcomes.${index}.status`, status])),
      },
      update: {
        $set: {
          run: batch.run,
          ...Object.fromEntries(
            entries.map(([index, { attempts }]) => [`outcomes.${index}`, { status: 'queued' as const, attempts }]),
          ),
        },
      },
    },
  }));
  if (operations.length === 0) return;
  const { matchedCount } = await outcomePagesIn(database).bulkWrite(operations, { ordered: false });
  if (matchedCount < operations.length)
    await requeueOutcomes(database, batch, await notRequeued(database, batch, outcomes));
}

const UNSUCCESSFUL: readonly ItemStatus[] = ['failed', 'expired', 'cancelled'];

/** What a retry carries out again. */
export const unsuccessful = (outcomes: Iterable<readonly [number, StoredOutcome]>): Map<number, StoredOutcome> =>
  new Map([...outcomes].filter(([, { status }]) => UNSUCCESSFUL.includes(status)));

/** What is still to be taken back, as it is stored now, in the pages of some outcomes that this run has not taken back. */
async function notRequeued(
  database: Database,
  batch: Pick<OutcomeWriter, '_id' | 'run' | 'pageSize'>,
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<Map<number, StoredOutcome>> {
  const ids = pagesWith(batch, [...outcomes.keys()]).map((page) => pageId(batch._id, page));
  const pages = await outcomePagesIn(database)
    .find({ _id: { $in: ids } })
    .toArray();
  const left = pages.filter(({ run }) => (run ?? 0) < batch.run);
  return unsuccessful(
    left.flatMap((page) => Object.entries(page.outcomes).map(([index, outcome]) => [Number(index), outcome] as const)),
  );
}

export function pagesOf(batch: { readonly total: number; readonly pageSize: number }): number[] {
  return Array.from({ length: Math.ceil(batch.total / batch.pageSize) }, (_, page) => page);
}

/** Pages of outcomes that are read in one command: few, and more where they are light. */
const FEWEST_PAGES_AT_ONCE = 4;
const MOST_PAGES_AT_ONCE = 20;
/** Missing references in what was read from which on no more pages are read at once. */
const HEAVY = 10_000;

/** Stored outcomes of a batch, all or those of some pages, a few pages at a time: memory stays bounded. */
export async function* outcomeChunks(
  database: Database,
  batch: { readonly _id: string; readonly total: number; readonly pageSize: number },
  pages = pagesOf(batch),
): AsyncGenerator<{ pages: number[]; outcomes: Map<number, StoredOutcome> }> {
  let size = FEWEST_PAGES_AT_ONCE;
  for (let at = 0; at < pages.length; ) {
    const some = pages.slice(at, at + size);
    const outcomes = new Map(await readOutcomePages(database, batch._id, some));
    yield { pages: some, outcomes };
    at += some.length;
    size = weightOf(outcomes) < HEAVY ? Math.min(2 * size, MOST_PAGES_AT_ONCE) : FEWEST_PAGES_AT_ONCE;
  }
}

function weightOf(outcomes: ReadonlyMap<number, StoredOutcome>): number {
  let weight = 0;
  for (const { missing = [], waitedFor = [] } of outcomes.values()) weight += missing.length + waitedFor.length;
  return weight;
}

/** Outcomes by index, lowest first. */
export function inOrder(outcomes: ReadonlyMap<number, StoredOutcome>): [number, StoredOutcome][] {
  return [...outcomes].sort(([a], [b]) => a - b);
}

/** Removes all outcomes of a batch. Safe to repeat. */
export async function removeOutcomePages(
  database: Database,
  batch: { readonly _id: string; readonly total: number; readonly pageSize: number },
): Promise<void> {
  for (const some of slices(pageIds(batch._id, batch.total, batch.pageSize)))
    await deleteEach(outcomePagesIn(database), some);
}
