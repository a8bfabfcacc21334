import { randomUUID } from 'node:crypto';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { type BatchDocument, readBatches } from '../../store/batches/batches.ts';
import type { Controllable } from '../../store/batches/halts.ts';
import type { RunOfBatch } from '../../store/batches/run-fence.ts';
import { keysOfItems } from '../../store/items/item-pages.ts';
import { claimedBy } from '../../store/items/pending-items.ts';
import { type EndedActivity, fenceOutcomes } from '../../store/items/write-outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { SupersededError } from '../../store/mongodb/errors.ts';
import { batchWorkflowId } from '../../workflows/messages.ts';
import { attemptOfIntent, intentsOf, layIntent, removeIntents, withdrawIntent } from '../intents/intents.ts';
import type { Attempt } from './attempt.ts';
import { sinceOf } from './attempt-names.ts';
import { assertExecution } from './executions.ts';
import { fenceResources } from './fences.ts';

/** The documents that an attempt may write. */
export interface Writable {
  readonly batch: BatchDocument;
  readonly items: readonly { readonly key: ResourceKey; readonly index: number }[];
}

/**
 * Takes over from earlier attempts of the same activity, and from activities of an earlier execution of the workflow: the last
 * command of such an attempt that got no answer may land at any time, and must change nothing from now on (invariants 1 to 3). To be
 * called before anything is read to decide on, and once more when this attempt has laid its intent: of two attempts at work at once,
 * which both lay first and read here then, the earlier one sees the later.
 * So are attempts of the activity that has run the whole batch (`runSmallBatch`), if this is another one; and that one stops if another
 * is at work. Costs one query if no attempt has left an intent.
 * @param batch as this execution has taken it over (`takeOverRun`).
 * @param writable the documents that an attempt of this activity may write.
 * @returns whether there were any, so that what was read before may have changed since; and whether the batch may be worked on.
 * @throws SupersededError if a later attempt, or a later execution, is at work.
 */
export async function endEarlierAttempts(
  database: Database,
  attempt: Attempt,
  batch: BatchDocument,
  writable: () => Promise<readonly Writable[]>,
): Promise<{ readonly hasEnded: boolean; readonly now: Controllable | null }> {
  const [left, now] = await Promise.all([intentsOf(database, attempt.workflow), assertExecution(database, batch)]);
  const ofActivity = left.filter((id) => id.startsWith(`${attempt.activity}/`));
  const ofOthers = left.filter((id) => !id.startsWith(`${attempt.execution}/`));
  const isWhole = attempt.activity === attempt.whole;
  const ofWhole = isWhole ? [] : left.filter((id) => id.startsWith(`${attempt.whole}/`));
  if (isWhole && left.length > ofActivity.length + ofOthers.length)
    throw new SupersededError('the workflow runs the batch step by step now');
  const others = [...ofActivity.filter((id) => attemptOfIntent(id) !== attempt.id), ...ofWhole, ...ofOthers];
  if (others.length === 0) return { hasEnded: false, now };
  assertLatest(attempt, ofActivity);
  const isSeen = ofActivity.some((id) => attemptOfIntent(id) === attempt.id);
  const own = { id: attempt.id, batchId: batch._id, schemaDefinitionIds: [], targets: [] };
  // an earlier attempt that is at work, and meets the fences, learns from this intent that they are new (`assertLatestAttempt`)
  if (!isSeen) await layIntent(database, own);
  const all = ofOthers.length + ofWhole.length > 0;
  await fenceWrites(database, attempt.id, await (all ? allOf(database, batch) : writable()), endOf(attempt, ofWhole));
  // Only now: a deleter that finds none of these intents concludes that the attempt is over.
  await removeIntents(database, others);
  if (!isSeen) await withdrawIntent(database, own);
  return { hasEnded: true, now };
}

/** The documents that any activity of a batch may write: its own items, and those of other batches that it has claimed. */
async function allOf(database: Database, batch: BatchDocument): Promise<Writable[]> {
  const indexes = Array.from({ length: batch.total }, (_, index) => index);
  return [{ batch, items: await keysOfItems(database, batch, indexes) }, ...(await claimedItems(database, batch))];
}

/**
 * For an attempt that meets fences of another one: old ones, or those of an attempt that is taking over from it. An attempt that takes over has
 * an intent of its own while it puts fences, and removes those of earlier attempts before it withdraws that.
 * @throws SupersededError if another attempt takes over, or has taken over.
 */
export async function assertLatestAttempt(database: Database, attempt: Attempt, batch: BatchDocument): Promise<void> {
  const [laid] = await Promise.all([intentsOf(database, attempt.activity), assertExecution(database, batch)]);
  if (!laid.some((id) => attemptOfIntent(id) === attempt.id))
    throw new SupersededError('the intent of this attempt was removed: another one has taken over');
  assertLatest(attempt, laid);
}

/** The activity that has run the whole batch, ended later than all of its attempts, whatever the clock of their worker says. */
function endOf({ whole }: Attempt, intents: readonly string[]): EndedActivity | undefined {
  if (intents.length === 0) return undefined;
  return { activity: whole, since: Math.max(...intents.map((id) => sinceOf(whole, attemptOfIntent(id)))) + 1 };
}

function assertLatest({ activity, since }: Attempt, intents: readonly string[]): void {
  if (intents.some((id) => sinceOf(activity, attemptOfIntent(id)) > since))
    throw new SupersededError('a later attempt is at work');
}

/** From here on, nothing that was decided before is written any more, neither resources nor outcomes. */
async function fenceWrites(
  database: Database,
  token: string,
  writable: readonly Writable[],
  ended?: EndedActivity,
): Promise<void> {
  for (const { batch, items } of writable) {
    await fenceResources(
      database,
      token,
      items.map(({ key }) => key),
    );
    await fenceOutcomes(
      database,
      batch,
      items.map(({ index }) => index),
      ended,
    );
  }
}

/** Pending items that a run has claimed to apply them together, of any batch. */
export async function claimedItems(database: Database, batch: RunOfBatch): Promise<Writable[]> {
  const members = await claimedBy(database, batch);
  const owners = await readBatches(database, [...new Set(members.map((member) => member.batchId))]);
  return owners.map((batch) => ({ batch, items: members.filter((member) => member.batchId === batch._id) }));
}

/** Commands that a batch which is about to be finished may still have under way, when none of its activities runs any more. */
export class LeftAttempts {
  readonly #database: Database;
  readonly #token: string;
  readonly #intents: readonly string[];

  private constructor(database: Database, batchId: string, intents: readonly string[]) {
    this.#database = database;
    this.#token = `${batchId}/finish/${randomUUID()}`;
    this.#intents = intents;
  }

  /** @returns null if no attempt has left an intent, which costs one query. */
  static async of(database: Database, batch: RunOfBatch): Promise<LeftAttempts | null> {
    const intents = await intentsOf(database, batchWorkflowId(batch._id));
    if (intents.length === 0) return null;
    const left = new LeftAttempts(database, batch._id, intents);
    await left.fence(await claimedItems(database, batch));
    return left;
  }

  /** See `fenceWrites`. */
  async fence(writable: readonly Writable[]): Promise<void> {
    await fenceWrites(this.#database, this.#token, writable);
  }

  /** Every item without a terminal outcome has its fence: no delete needs to wait for these attempts any more. */
  async end(): Promise<void> {
    await removeIntents(this.#database, this.#intents);
  }
}
