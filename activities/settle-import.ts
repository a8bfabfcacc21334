import { isTerminal } from '../domain/batch/batch.ts';
import { forEachConcurrently } from '../domain/collections/for-each-concurrently.ts';
import { runYielding } from '../domain/collections/run-yielding.ts';
import type { Hopes, WaitingItem, WaitingItems } from '../domain/imports/waiting-items.ts';
import { MAX_CYCLE_ITEMS } from '../domain/limits.ts';
import type { ResourceKey } from '../domain/write/resource.ts';
import { presentKeys } from '../isolation/resources/targets.ts';
import { signalBatchOfImport } from '../services/imports/signal-batch.ts';
import { recordCycle } from '../store/batches/run-state.ts';
import { importBatches, isOpenBatch } from '../store/imports/import-batches.ts';
import { type ImportDocument, readImport, recordUnappliedCycles } from '../store/imports/imports.ts';
import { newList, removeLists, storeLists } from '../store/items/key-lists.ts';
import { pendingId, pendingOfBatch } from '../store/items/pending-items.ts';
import { KEYS_AT_ONCE, keyParts } from '../store/mongodb/parts.ts';
import {
  checkRoundSignal,
  importEndedSignal,
  type SettleImportInput,
  type SettleImportResult,
} from '../workflows/imports/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { showProgress } from './control/show-progress.ts';
import { withWaitingItems } from './imports/collect-waiting.ts';

/** Batches that are signalled at a time. */
const BATCHES_AT_ONCE = 10;

/** Batches whose pending items are read at a time. */
const READ_AT_ONCE = 4;

/** A batch that only waits. */
interface WaitingBatch {
  readonly _id: string;
  readonly run: number;
  /** Of its latest report: items that were pending then, and its number. */
  readonly pending: number;
  readonly round: number;
  /** Nothing of it is applied for now. */
  readonly isHalted: boolean;
}

/**
 * Decides what becomes of the items that wait, once all rows of an import are in batches and these only wait: those that can be applied, because
 * what they miss is there or because they need only each other, are; if there are none, nothing of the import can create what is missing, and
 * the wait of all ends.
 *
 * Why that is so (nothing fails that could have been applied): assume that some item is applied after this has begun to read, and take the first
 * one. No row has created anything in between, so it could have been applied before: what it misses was there, or is a cycle with others. If its
 * registration was read, it is found here, because what is there is read afterwards. If its registration was not read, its batch had begun to apply it;
 * then the batch has fewer registrations than it has reported items, and is asked to report anew.
 *
 * Everything in it can be repeated, and is, until all batches have finished.
 */
export async function settleImport(context: ActivityContext, input: SettleImportInput): Promise<SettleImportResult> {
  const { database } = context;
  const imported = await readImport(database, input.importId);
  const waiting = isToSettle(imported, input.run) ? await waitingBatches(context, imported._id) : null;
  if (waiting === null) return { isRunning: true, asked: 0, isEnd: false };
  return withWaitingItems(context, imported?._id ?? '', async (items) => {
    const unsettled: WaitingBatch[] = [];
    let isUnknown = false;
    await forEachConcurrently([...waiting.entries()], READ_AT_ONCE, async ([number, batch]) => {
      const collected = await collect(context, items, number, batch);
      if (!batch.isHalted && (collected.hasReady || collected.isOther)) unsettled.push(batch);
      // it cannot be asked what it was applying when it was suspended, and answers once it is resumed
      else if (collected.isOther) isUnknown = true;
    });
    if (unsettled.length > 0 || isUnknown) return ask(context, unsettled);
    const isSearched = items.isWhole;
    const { cycles, batches, tooLarge } = isSearched ? await hopesOf(items.collected, waiting) : NO_HOPE;
    if (cycles.length > 0) return ask(context, await assign(context, waiting, cycles));
    // what is left has hope only where a caller has suspended a batch: what needs none of its items does not wait for that
    const ended = waiting.filter((_, number) => !batches.has(number));
    if (imported !== null && (!isSearched || tooLarge > 0))
      await recordUnappliedCycles(database, imported, isSearched ? { tooLarge } : { isUnsearched: true });
    await tell(ended, (batch) =>
      signalBatchOfImport(context.client, batch._id, (handle) => handle.signal(importEndedSignal)),
    );
    return { isRunning: false, asked: ended.length, isEnd: ended.length === waiting.length };
  });
}

const NO_HOPE: Hopes = { cycles: [], batches: new Set(), tooLarge: 0 };

function isToSettle(imported: ImportDocument | null, run: number): imported is ImportDocument {
  if (imported?.run !== run || isTerminal(imported.status) || imported.deletedAt !== undefined) return false;
  return imported.cut.isAtEnd && !imported.suspended && !imported.cancelRequested;
}

/** @returns null if a batch does not only wait. */
async function waitingBatches({ database }: ActivityContext, importId: string): Promise<WaitingBatch[] | null> {
  const waiting: WaitingBatch[] = [];
  for await (const batch of importBatches(database, importId)) {
    showProgress();
    if (!isOpenBatch(batch)) continue;
    const { _id, run, report, suspended, cancelRequested = false } = batch;
    if (report === undefined) return null;
    const isHalted = suspended || cancelRequested;
    waiting.push({ _id, run, pending: report.counts.pending ?? 0, round: report.round, isHalted });
  }
  return waiting;
}

/** What was read of a batch. */
interface Collected {
  /** It has an item that can be applied at once. */
  readonly hasReady: boolean;
  /** Others find not as many items of it as it has reported: it is applying some, or has applied them. */
  readonly isOther: boolean;
}

async function collect(
  { database }: ActivityContext,
  items: { add(item: WaitingItem, key: ResourceKey, absent: readonly ResourceKey[]): void },
  number: number,
  batch: WaitingBatch,
): Promise<Collected> {
  let count = 0;
  let hasReady = false;
  for await (const some of pendingOfBatch(database, batch)) {
    const present = new Set<ResourceKey>();
    for (const keys of keyParts(new Set(some.flatMap(({ missing }) => missing)), KEYS_AT_ONCE)) {
      showProgress();
      for (const key of await presentKeys(database, keys)) present.add(key);
    }
    for (const { key, index, missing } of some) {
      const absent = missing.filter((each) => !present.has(each));
      if (absent.length === 0) hasReady = true;
      items.add({ batch: number, index }, key, absent);
    }
    count += some.length;
  }
  showProgress();
  return { hasReady, isOther: count !== batch.pending };
}

const hopesOf = (items: WaitingItems, waiting: readonly WaitingBatch[]): Promise<Hopes> =>
  runYielding(
    items.hopes(MAX_CYCLE_ITEMS, (batch) => waiting[batch]?.isHalted ?? true),
    async () => {
      showProgress();
      await new Promise(setImmediate);
    },
  );

/** Cycles are applied by a batch that has one of their items; one batch applies several if they are small. @returns these batches. */
async function assign(
  { database }: ActivityContext,
  waiting: readonly WaitingBatch[],
  cycles: Hopes['cycles'],
): Promise<WaitingBatch[]> {
  const assigned = new Map<WaitingBatch, string[]>();
  for (const items of cycles) {
    const batch = waiting[items[0]?.batch ?? -1];
    if (batch === undefined) continue;
    const own = assigned.get(batch) ?? [];
    // the rest is found when these are applied
    if (own.length > 0 && own.length + items.length > MAX_CYCLE_ITEMS) continue;
    for (const { batch: number, index } of items) own.push(pendingId(waiting[number]?._id ?? '', index));
    assigned.set(batch, own);
  }
  for (const [batch, ids] of assigned) {
    showProgress();
    await removeLists(database, `${batch._id}/cycle`);
    const listed = newList(`${batch._id}/cycle`, ids, batch.run);
    await storeLists(database, [listed]);
    await recordCycle(database, batch, listed.list);
  }
  return [...assigned.keys()];
}

async function ask({ client }: ActivityContext, batches: readonly WaitingBatch[]): Promise<SettleImportResult> {
  await tell(batches, (batch) =>
    signalBatchOfImport(client, batch._id, (handle) => handle.signal(checkRoundSignal, batch.round + 1)),
  );
  return { isRunning: false, asked: batches.length, isEnd: false };
}

const tell = (batches: readonly WaitingBatch[], signal: (batch: WaitingBatch) => Promise<void>): Promise<void> =>
  forEachConcurrently(batches, BATCHES_AT_ONCE, async (batch) => {
    showProgress();
    await signal(batch);
  });
