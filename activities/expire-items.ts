import { RESOURCES_PER_SLICE } from '../domain/batch/plan-chunks.ts';
import { MAX_MISSING_PER_OUTCOME } from '../domain/limits.ts';
import { thisAttempt } from '../isolation/attempts/attempt.ts';
import { endEarlierAttempts } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import { type BatchDocument, readBatch } from '../store/batches/batches.ts';
import { keysOfItems, pagesWith } from '../store/items/item-pages.ts';
import {
  type ExpiredOutcome,
  hasWaited,
  inOrder,
  outcomeChunks,
  type PendingOutcome,
  pendingAmong,
  readOutcomePages,
  type StoredOutcome,
} from '../store/items/outcomes.ts';
import { releasePending } from '../store/items/pending-items.ts';
import { fenceOutcomes, writeOutcomes } from '../store/items/write-outcomes.ts';
import type { Database } from '../store/mongodb/database.ts';
import { parts } from '../store/mongodb/parts.ts';
import type { ItemsOfBatch, WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { showProgress } from './control/show-progress.ts';
import { createdKeysOf, finishApplied } from './finish/finish-open-items.ts';
import { toWorkResult } from './finish/work-result.ts';
import { recordWaits } from './wait/record-waits.ts';

/** Number of missing references that a message names. */
const NAMED_IN_MESSAGE = 10;

/**
 * Expires pending items whose deadline has passed. An item that another batch is applying together with its own is left to that batch; an item
 * whose effect is stored has succeeded, even if the activity that applied it died (invariant 2).
 * The workflow has checked before: items that could be applied have been applied.
 * @param input `asOf`: the workflow's time, in ms since 1970; deadlines up to it have passed. `endsWait`: its import has ended, and so has
 * the wait of all items, whatever deadlines are stored.
 */
export async function expireItems(
  context: ActivityContext,
  input: ItemsOfBatch & { readonly asOf: number; readonly endsWait?: true },
): Promise<WorkResult> {
  const { database } = context;
  const attempt = thisAttempt();
  // deadlines continue to run while a batch is suspended (docs/architecture.md#states)
  const control = new ControlCheck(database, input, ['cancelled']);
  const found = await readBatch(database, input.batchId);
  control.asRead(found);
  if (found === null || found.run !== input.run) return toWorkResult([], new Map());
  const batch = await takeOverRun(database, found, attempt);
  if (batch.execution?.follows) {
    await fenceOutcomes(database, batch, input.indexes);
    await endEarlierAttempts(database, attempt, batch, async () => []);
  }
  const wanted = new Set(input.indexes);
  const after = new Map<number, StoredOutcome>();
  for await (const { pages, outcomes } of outcomeChunks(database, batch, pagesWith(batch, input.indexes))) {
    showProgress();
    const due = pendingAmong(inOrder(outcomes)).filter(
      ([index, { expiresAt }]) => wanted.has(index) && (input.endsWait || expiresAt.getTime() <= input.asOf),
    );
    for (const some of parts(due, RESOURCES_PER_SLICE))
      if ((await control.inTime()) === null)
        await expire(database, batch, some, input.endsWait ? failedAtEnd : expiredOutcome);
    showProgress();
    const now = (await readOutcomePages(database, batch._id, pages)).filter(([index]) => wanted.has(index));
    recordWaits(outcomes, new Map(now));
    // invariant 5: the activity that has applied one of these may have died before it woke the batches that wait for it
    await wakeWaiting(context, await createdKeysOf(database, batch, new Map(now)));
    // from here on outcomes are only counted: their missing references may be large
    for (const [index, outcome] of now) after.set(index, outcome.missing ? { ...outcome, missing: [] } : outcome);
  }
  return toWorkResult(input.indexes, after);
}

async function expire(
  database: Database,
  batch: BatchDocument,
  due: readonly (readonly [number, PendingOutcome])[],
  ended: (outcome: PendingOutcome) => StoredOutcome,
): Promise<void> {
  const keys = await keysOfItems(
    database,
    batch,
    due.map(([index]) => index),
  );
  const claimed = await releasePending(database, batch, keys);
  const released = due.filter(([index]) => !claimed.has(index));
  const applied = await finishApplied(
    database,
    batch,
    released.map(([index]) => index),
  );
  const expired = new Map<number, StoredOutcome>();
  for (const [index, outcome] of released) if (!applied.outcomes.has(index)) expired.set(index, ended(outcome));
  await writeOutcomes(database, batch, expired);
}

/** All rows of the import were applied or have failed, and none has created what the item misses. */
function failedAtEnd(outcome: PendingOutcome): StoredOutcome {
  const message = `no row of the import has created ${namedIn(outcome)}`;
  return { status: 'failed', errors: [{ code: 'missing_dependency', message }], ...keptOf(outcome) };
}

function expiredOutcome(outcome: PendingOutcome): ExpiredOutcome {
  const message = `waited until ${outcome.expiresAt.toISOString()} for ${namedIn(outcome)}`;
  return { status: 'expired', errors: [{ code: 'dependency_expired', message }], ...keptOf(outcome) };
}

const namedIn = ({ missing }: PendingOutcome): string =>
  missing
    .slice(0, NAMED_IN_MESSAGE)
    .map(({ schemaName, externalId }) => `${schemaName} "${externalId}"`)
    .join(', ');

/** What every outcome keeps of a wait that has ended. */
function keptOf(outcome: PendingOutcome) {
  const { missing, missingTotal = missing.length, attempts } = outcome;
  return {
    missing: missing.slice(0, MAX_MISSING_PER_OUTCOME),
    missingTotal,
    attempts,
    ...hasWaited(outcome),
  };
}
