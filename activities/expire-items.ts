import { type BatchDocument, readBatch } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { pagesWith } from '../store/item-pages.ts';
import { MISSING_PER_OUTCOME } from '../store/key-lists.ts';
import {
  hasWaited,
  inOrder,
  outcomeChunks,
  readOutcomePages,
  type StoredOutcome,
  writeOutcomes,
} from '../store/outcome-pages.ts';
import { releasePending } from '../store/pending-items.ts';
import { slices } from '../store/slices.ts';
import { type ItemsOfBatch, type WorkResult, workResult } from './apply-items.ts';
import { ControlCheck, RESOURCES_PER_SLICE } from './control-check.ts';
import type { Dependencies } from './dependencies.ts';
import { keysOfItems } from './settle-leftovers.ts';
import { showProgress } from './show-progress.ts';

/** Missing references that a message names. */
const NAMED_IN_MESSAGE = 10;

/**
 * Ends the wait of pending items whose deadline has passed. One that another batch is carrying out with its own is left to it.
 * The workflow has looked before: what could go ahead has gone.
 * @param input `asOf`: the workflow's time, in ms since 1970; deadlines up to it have passed.
 */
export async function expireItems(
  { database }: Dependencies,
  input: ItemsOfBatch & { readonly asOf: number },
): Promise<WorkResult> {
  // while a batch is suspended its deadlines run on (contract section 9)
  const control = new ControlCheck(database, input, ['cancelled']);
  const batch = await readBatch(database, input.batchId);
  control.asRead(batch);
  if (batch === null || batch.run !== input.run) return workResult([], new Map());
  const wanted = new Set(input.indexes);
  const after = new Map<number, StoredOutcome>();
  for await (const { pages, outcomes } of outcomeChunks(database, batch, pagesWith(batch, input.indexes))) {
    showProgress();
    const due = inOrder(outcomes).filter(
      ([index, outcome]) => wanted.has(index) && outcome.status === 'pending' && isDue(outcome, input.asOf),
    );
    for (const some of slices(due, RESOURCES_PER_SLICE))
      if ((await control.inTime()) === null) await expire(database, batch, some);
    showProgress();
    for (const [index, { missing: _, ...outcome }] of await readOutcomePages(database, batch._id, pages))
      if (wanted.has(index)) after.set(index, outcome);
  }
  return workResult(input.indexes, after);
}

const isDue = ({ expiresAt }: StoredOutcome, asOf: number): boolean => (expiresAt?.getTime() ?? 0) <= asOf;

async function expire(
  database: Database,
  batch: BatchDocument,
  due: readonly (readonly [number, StoredOutcome])[],
): Promise<void> {
  const keys = await keysOfItems(
    database,
    batch,
    due.map(([index]) => index),
  );
  const claimed = await releasePending(database, batch, keys);
  const expired = new Map<number, StoredOutcome>();
  for (const [index, outcome] of due) if (!claimed.has(index)) expired.set(index, expiredOutcome(outcome));
  await writeOutcomes(database, batch, expired);
}

function expiredOutcome(outcome: StoredOutcome): StoredOutcome {
  const { missing = [], missingTotal = missing.length, expiresAt, attempts } = outcome;
  const named = missing.slice(0, NAMED_IN_MESSAGE).map(({ schemaName, externalId }) => `${schemaName} "${externalId}"`);
  const message = `waited until ${expiresAt?.toISOString()} for ${named.join(', ')}`;
  return {
    status: 'expired',
    errors: [{ code: 'dependency_expired', message }],
    missing: missing.slice(0, MISSING_PER_OUTCOME),
    missingTotal,
    attempts,
    ...hasWaited(outcome),
  };
}
