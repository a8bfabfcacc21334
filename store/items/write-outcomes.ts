import { createHash } from 'node:crypto';
import type { AnyBulkWriteOperation } from 'mongodb';
import { appendTo } from '../../domain/collections/append-to.ts';
import { noLaterRun } from '../batches/run-fence.ts';
import { currentAttempt } from '../mongodb/command-time.ts';
import type { Database } from '../mongodb/database.ts';
import { isDuplicateKey, SupersededError } from '../mongodb/errors.ts';
import { pageId, pagesWith } from './item-pages.ts';
import { type OutcomePageDocument, outcomePagesIn, type StoredOutcome } from './outcomes.ts';

const OPEN = [null, 'queued', 'pending'];

/** The fields of a run of a batch that writing outcomes needs. */
export interface OutcomeWriter {
  readonly _id: string;
  readonly run: number;
  readonly pageSize: number;
  readonly total: number;
  /** The execution that works on the run. */
  readonly execution?: { readonly since: number };
}

/**
 * Writes outcomes over items that are queued or pending; a terminal outcome stays as it is (invariant 1: exactly one
 * terminal outcome). Nothing is written to a page that a later run has written to: a late attempt of a run that has ended finds
 * the outcomes that the later run has requeued. One command for the usual case; a page in which an outcome became terminal meanwhile is read and
 * written again.
 * @param isFirst no outcome of these items was found: pages that they fill are inserted, which costs far less than matching
 * each of their items. If there is one after all, the insert finds the page taken.
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
    // The page exists and does not match: another attempt made it, or stored a terminal outcome in it, or has taken over.
    if (!isDuplicateKey(error)) throw error;
    await assertNotTakenOver(database, batch, [...pages.keys()]);
    await writeOutcomes(database, batch, await stillOpen(database, batch, outcomes));
  }
}

/** Outcomes of items that have no terminal one yet, in pages that no later run has written to. */
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
    return (page?.run ?? 0) <= batch.run && OPEN.includes(page?.outcomes[index]?.status ?? null);
  };
  return new Map([...outcomes].filter(([index]) => isOpen(index)));
}

/** The name of an activity in `fences`: a field name without dots. */
const fenceName = (activity: string): string => createHash('sha256').update(activity).digest('base64url').slice(0, 16);

/** Another activity whose attempts are over: none of those scheduled before may write any more. */
export interface EndedActivity {
  readonly activity: string;
  readonly since: number;
}

/**
 * Prevents earlier attempts of the running activity, and activities of earlier executions, from writing outcomes of these items,
 * however late a command of theirs lands. Safe to repeat.
 */
export async function fenceOutcomes(
  database: Database,
  batch: Pick<OutcomeWriter, '_id' | 'pageSize' | 'execution'>,
  indexes: readonly number[],
  ended?: EndedActivity,
): Promise<void> {
  if (indexes.length === 0) return;
  const fences = { ...lastFences(batch), ...(ended && { [`fences.${fenceName(ended.activity)}`]: ended.since }) };
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

/** For each field, the latest attempt or execution that may have taken over a page for this attempt to be allowed to write outcomes. */
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
        ...Object.fromEntries(entries.map(([index]) => [`outcomes.${index}.status`, { $in: OPEN }])),
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

export function groupByPage(
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
