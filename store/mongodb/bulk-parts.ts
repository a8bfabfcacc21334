import { type AnyBulkWriteOperation, BSON, type Document, MongoBulkWriteError } from 'mongodb';
import { appendTo } from '../../domain/collections/append-to.ts';
import { writeErrorsOf } from './errors.ts';

/** Largest number of documents, or changes, in one command: it is over soon, and an attempt that ends between two commands does not begin the next. */
const MOST_IN_PART = 500;
/** Most bytes of them, unless one alone is larger: the driver would cut at 16 MB, a server accepts 48 MB. */
const MOST_BYTES_IN_PART = 12 * 1024 * 1024;

interface Ordering {
  readonly ordered?: boolean;
}

/** The summed results of the parts of a bulk write. */
interface BulkTotals {
  readonly insertedCount: number;
  readonly matchedCount: number;
  readonly modifiedCount: number;
  readonly deletedCount: number;
  readonly upsertedCount: number;
}
const NOTHING: BulkTotals = { insertedCount: 0, matchedCount: 0, modifiedCount: 0, deletedCount: 0, upsertedCount: 0 };
const COUNTS = Object.keys(NOTHING) as (keyof BulkTotals)[];

/** Sends a bulk write as separate commands: one kind of change in each, in the given order if it is ordered. */
export async function bulkWriteInParts<T extends Document>(
  operations: readonly AnyBulkWriteOperation<T>[],
  { ordered = true }: Ordering = {},
  send: (part: readonly AnyBulkWriteOperation<T>[]) => unknown,
): Promise<BulkTotals> {
  const totals = { ...NOTHING };
  const runs = ordered ? consecutive(operations, kindOf) : grouped(operations, kindOf);
  await inParts(runs.flatMap(parts), ordered, async (part) => {
    const result = (await send(part)) as BulkTotals;
    for (const count of COUNTS) totals[count] += result[count];
  });
  return totals;
}

/** @throws MongoBulkWriteError whose errors have the index of their document among all. */
export async function insertManyInParts(
  documents: readonly Document[],
  { ordered = true }: Ordering = {},
  send: (part: readonly Document[]) => unknown,
): Promise<{ insertedCount: number }> {
  let sent = 0;
  await inParts(parts(documents), ordered, async (part) => {
    try {
      await send(part);
    } catch (error) {
      if (error instanceof MongoBulkWriteError) for (const { err } of writeErrorsOf(error)) err.index += sent;
      throw error;
    } finally {
      sent += part.length;
    }
  });
  return { insertedCount: documents.length };
}

/**
 * Sends one part after the other. Of an unordered write the others are sent too if some documents of one are refused, as a
 * server does inside a command; any other failure ends it.
 * @throws MongoBulkWriteError with the errors of all parts.
 */
async function inParts<P>(
  all: readonly (readonly P[])[],
  ordered: boolean,
  send: (part: readonly P[]) => Promise<void>,
): Promise<void> {
  let failure: MongoBulkWriteError | undefined;
  for (const part of all) {
    try {
      await send(part);
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError)) throw error;
      const isPartly = writeErrorsOf(error).length > 0 && error.result.getWriteConcernError() === undefined;
      if (ordered || !isPartly) throw error;
      if (failure === undefined) failure = error;
      else failure.writeErrors = [...writeErrorsOf(failure), ...writeErrorsOf(error)];
    }
  }
  if (failure !== undefined) throw failure;
}

const kindOf = (operation: object): string => {
  const [kind = ''] = Object.keys(operation);
  return kind.startsWith('insert') ? 'insert' : kind.startsWith('delete') ? 'delete' : 'update';
};

function consecutive<P>(all: readonly P[], keyOf: (one: P) => string): P[][] {
  const runs: P[][] = [];
  let key: string | undefined;
  for (const one of all) {
    if (keyOf(one) !== key) runs.push([]);
    key = keyOf(one);
    runs.at(-1)?.push(one);
  }
  return runs;
}

function grouped<P>(all: readonly P[], keyOf: (one: P) => string): P[][] {
  const groups = new Map<string, P[]>();
  for (const one of all) {
    appendTo(groups, keyOf(one), one);
  }
  return [...groups.values()];
}

function parts<P extends object>(all: readonly P[]): P[][] {
  const cut: P[][] = [];
  let part: P[] = [];
  let bytes = 0;
  for (const one of all) {
    const size = BSON.calculateObjectSize(one, { ignoreUndefined: true });
    if (part.length > 0 && (part.length === MOST_IN_PART || bytes + size > MOST_BYTES_IN_PART)) {
      cut.push(part);
      part = [];
      bytes = 0;
    }
    part.push(one);
    bytes += size;
  }
  if (part.length > 0) cut.push(part);
  return cut;
}
