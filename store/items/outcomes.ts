import type { Collection } from 'mongodb';
import type { ItemAction, ItemError, ItemStatus } from '../../domain/batch/outcome.ts';
import type { StateName } from '../../domain/undo/undo-entry.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach } from '../mongodb/each-by-id.ts';
import { parts } from '../mongodb/parts.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';
import { pageId, pageIds, pagesWith } from './item-pages.ts';
import { type KeyList, readLists } from './key-lists.ts';

/** Outcomes of the items of one page, by index. An item that is not in it is queued. */
export interface OutcomePageDocument {
  _id: string;
  outcomes: Record<string, StoredOutcome>;
  /** The latest run that has written here; absent: an earlier version has. */
  run?: number;
  /**
   * Activities of which a later attempt has taken over -> the earliest time at which an attempt may have been scheduled that still writes here
   * (an earlier version has stored the lowest number of an attempt).
   */
  fences?: Record<string, number>;
  /** An execution has taken over from another one of the run: the earliest time at which an execution that still writes here took over. */
  execution?: number;
}

/** The collection `outcome_pages`. */
export const outcomePagesIn = (database: Database): Collection<OutcomePageDocument> =>
  database.collection('outcome_pages');

/** Every page of outcomes, by its id alone. */
export const scanOutcomePages = (database: Database): Scan<Pick<OutcomePageDocument, '_id'>> =>
  scanOf(outcomePagesIn(database), { _id: 1 });

/** Removes some pages. Safe to repeat. */
export async function removeOutcomes(database: Database, ids: readonly string[]): Promise<void> {
  await deleteEach(outcomePagesIn(database), ids);
}

/** The fields of every outcome, whatever its status. */
interface OutcomeOfAny {
  /** How often the item has been applied; 0 while it is queued for the first time. */
  attempts: number;
  /** The item has waited: its batch may still be registered for its missing references. */
  hasWaited?: true;
  /** `hasWaited` in the version before this one. */
  waitedFor?: ResourceKey[];
  /** The item repeats an earlier item of its batch, and has its outcome. */
  repeat?: boolean;
}

/** The fields that only outcomes of some statuses have. */
interface OutcomeDetails {
  action: ItemAction;
  errors: ItemError[];
  /** The first of the references that the item missed (`MISSING_PER_OUTCOME`). */
  missing: MissingKey[];
  /** Number of missing references. Absent in outcomes of the version before this one, whose `missing` has all of them. */
  missingTotal: number;
  /** The list of all missing references, if there are more than `missing` holds. */
  missingList: KeyList;
  /** Number of all references of a pending item, missing or not; absent in outcomes of the version before this one. */
  references: number;
  /** When the item became pending, and its absolute deadline. */
  pendingSince: Date;
  expiresAt: Date;
  /** The execution that a termination is about to end, noted before it does (invariant 2). */
  target: { workflowId: string; runId: string; firstRunId: string };
  /** Of an undoable batch: the life of the resource that the item has written, and the version that it has made. */
  wrote: StateName;
}

type Outcome<
  Status extends ItemStatus,
  Has extends keyof OutcomeDetails = never,
  MayHave extends keyof OutcomeDetails = never,
> = OutcomeOfAny & { status: Status } & Pick<OutcomeDetails, Has> &
  Partial<Pick<OutcomeDetails, MayHave>> & { [Other in Exclude<keyof OutcomeDetails, Has | MayHave>]?: never };

type QueuedOutcome = Outcome<'queued', never, 'target'>;
export type PendingOutcome = Outcome<
  'pending',
  'missing' | 'pendingSince' | 'expiresAt',
  'missingTotal' | 'missingList' | 'references'
>;
type SucceededOutcome = Outcome<'succeeded', 'action', 'wrote'>;
type FailedOutcome = Outcome<'failed', 'errors', 'missing' | 'missingTotal'>;
export type ExpiredOutcome = Outcome<'expired', 'errors' | 'missing', 'missingTotal'>;
type SkippedOutcome = Outcome<'skipped', 'errors'>;
type CancelledOutcome = Outcome<'cancelled', 'errors'>;

/** The outcome of one item, by status. A terminal outcome is written once, and changed only by a retry. */
export type StoredOutcome =
  | QueuedOutcome
  | PendingOutcome
  | SucceededOutcome
  | FailedOutcome
  | ExpiredOutcome
  | SkippedOutcome
  | CancelledOutcome;

type WithoutAttempts<O extends StoredOutcome> = O extends StoredOutcome ? Omit<O, 'attempts'> : never;
/** An outcome whose attempts are not counted yet. */
export type UncountedOutcome = WithoutAttempts<StoredOutcome>;

/** A missing identity; without `schemaDefinitionId` the schema definition itself does not exist yet. */
export interface MissingKey {
  key: ResourceKey;
  schemaDefinitionId?: string;
  schemaName: string;
  externalId: string;
}

/** Whether an item has waited so far: registrations of its batch are removed when that is over. */
export function hasWaited(before: StoredOutcome | undefined): Pick<StoredOutcome, 'hasWaited'> {
  const waited = before?.hasWaited ?? (before?.waitedFor !== undefined || before?.status === 'pending');
  return waited ? { hasWaited: true } : {};
}

/** The outcomes of pending items among these. */
export const pendingAmong = (outcomes: Iterable<readonly [number, StoredOutcome]>): [number, PendingOutcome][] =>
  [...outcomes].flatMap(([index, outcome]): [number, PendingOutcome][] =>
    outcome.status === 'pending' ? [[index, outcome]] : [],
  );

/** The missing references of a pending item. */
interface Missed {
  readonly keys: readonly ResourceKey[];
  /** The stored list of all of them, if there is one. */
  readonly list?: KeyList;
}

/**
 * All missing references of pending items, by index. If an item's list is lost, only those that its outcome names: once they exist, the item
 * is applied, and its other missing references are found from its body.
 */
export async function allMissing(
  database: Database,
  outcomes: readonly (readonly [number, PendingOutcome])[],
): Promise<Map<number, Missed>> {
  const listed = outcomes.map(([, { missing, missingList }]) => ({
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

export function pagesOf(batch: { readonly total: number; readonly pageSize: number }): number[] {
  return Array.from({ length: Math.ceil(batch.total / batch.pageSize) }, (_, page) => page);
}

/** Pages of outcomes that are read in one command: few, and more if they are small. */
const FEWEST_PAGES_AT_ONCE = 4;
const MOST_PAGES_AT_ONCE = 20;
/** Number of missing references and errors in the pages just read, from which on no more pages are read at a time. */
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
  for (const { missing = [], waitedFor = [], errors = [] } of outcomes.values())
    weight += missing.length + waitedFor.length + errors.length;
  return weight;
}

const BYTES_PER_OUTCOME = 200;
const BYTES_PER_MISSING = 1_000;
const BYTES_PER_CHARACTER = 2;

/** Memory that outcomes take, in bytes. */
export function bytesOfOutcomes(outcomes: ReadonlyMap<number, StoredOutcome>): number {
  let bytes = outcomes.size * BYTES_PER_OUTCOME;
  for (const { missing = [], errors = [] } of outcomes.values()) {
    bytes += missing.length * BYTES_PER_MISSING;
    for (const { message, field = '' } of errors) bytes += (message.length + field.length) * BYTES_PER_CHARACTER;
  }
  return bytes;
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
  for (const some of parts(pageIds(batch._id, batch.total, batch.pageSize)))
    await deleteEach(outcomePagesIn(database), some);
}
