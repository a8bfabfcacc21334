import type { Collection } from 'mongodb';
import type { ItemAction, ItemError, ItemStatus } from '../../domain/batch/outcome.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach } from '../mongodb/each-by-id.ts';
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

/** What every outcome has, whatever its status. */
interface OutcomeOfAny {
  /** How often the item has been applied; 0 while it is queued for the first time. */
  attempts: number;
  /** The item has waited: its batch may still be registered for what it missed then. */
  hasWaited?: true;
  /** What `hasWaited` was in the version before this one. */
  waitedFor?: ResourceKey[];
  /** The item repeats an earlier one of its batch, and has its outcome. */
  repeat?: boolean;
}

/** What only outcomes of some statuses have. */
interface OutcomeDetails {
  action: ItemAction;
  errors: ItemError[];
  /** The first of the references that the item missed (`MISSING_PER_OUTCOME`). */
  missing: MissingKey[];
  /** How many references it missed. Absent in outcomes of the version before this one, whose `missing` holds all. */
  missingTotal: number;
  /** Where all missing references are, if there are more than `missing` holds. */
  missingList: KeyList;
  /** How many references a pending item has, there or not; absent in outcomes of the version before this one. */
  references: number;
  /** When the item became pending, and its absolute deadline. */
  pendingSince: Date;
  expiresAt: Date;
  /** The execution that a termination is about to end, noted before it does (invariant 2). */
  target: { workflowId: string; runId: string; firstRunId: string };
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
type SucceededOutcome = Outcome<'succeeded', 'action'>;
type FailedOutcome = Outcome<'failed', 'errors', 'missing' | 'missingTotal'>;
export type ExpiredOutcome = Outcome<'expired', 'errors' | 'missing', 'missingTotal'>;
type SkippedOutcome = Outcome<'skipped', 'errors'>;
type CancelledOutcome = Outcome<'cancelled', 'errors'>;

/** What became of one item, by status. A terminal outcome is written once, and changed by a retry only. */
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

/** Those of some outcomes that are of pending items. */
export const pendingAmong = (outcomes: Iterable<readonly [number, StoredOutcome]>): [number, PendingOutcome][] =>
  [...outcomes].flatMap(([index, outcome]): [number, PendingOutcome][] =>
    outcome.status === 'pending' ? [[index, outcome]] : [],
  );

/** What a pending item misses. */
interface Missed {
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
