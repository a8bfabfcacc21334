import { ofWrite } from '../domain/batch/batch.ts';
import { planStages } from '../domain/batch/plan-chunks.ts';
import { selfSupporting } from '../domain/batch/self-supporting.ts';
import { unboundTarget } from '../domain/schema/unbound-key.ts';
import type { ResourceKey } from '../domain/write/resource.ts';
import { type Attempt, thisAttempt } from '../isolation/attempts/attempt.ts';
import { claimedItems, endEarlierAttempts } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { presentKeys } from '../isolation/resources/targets.ts';
import { chunkSize, withStoredBytes } from '../services/writes/plan-writes.ts';
import { readBatch, type WriteBatchDocument } from '../store/batches/batches.ts';
import { keysOfItems, pagesWith } from '../store/items/item-pages.ts';
import { allMissing, inOrder, outcomeChunks, pendingAmong, type StoredOutcome } from '../store/items/outcomes.ts';
import type { PendingMember } from '../store/items/pending-documents.ts';
import { dropPending, renewPending } from '../store/items/pending-items.ts';
import { KEYS_AT_ONCE, keyParts } from '../store/mongodb/parts.ts';
import type { CheckResult, ItemsOfBatch } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { showProgress } from './control/show-progress.ts';
import { toWorkResult } from './finish/work-result.ts';
import { assignedCycle, findCycle } from './wait/find-cycle.ts';
import type { Waiting } from './wait/waiting-item.ts';
import { applyCycle, recoverClaims } from './write/apply-cycle.ts';

/** The state of a batch's pending items. */
interface Survey extends Items {
  readonly present: ReadonlySet<ResourceKey>;
  readonly ready: ReadonlySet<Waiting>;
}

/** Items by their outcomes: those that wait, and the outcomes of the others. */
interface Items {
  readonly waiting: readonly Waiting[];
  readonly others: ReadonlyMap<number, StoredOutcome>;
  /** Missing identities whose schema definition was missing too -> its name. */
  readonly unbound: ReadonlyMap<ResourceKey, string>;
}

const NOTHING: CheckResult = { settled: [], result: toWorkResult([], new Map()), ready: [], lookAgain: false };

/**
 * Finds the pending items of a batch that can be applied: signals are hints, this is the proof (invariant 5). An item is ready if its missing
 * identities exist now, or are created by items of the same batch that are ready too. Cycles with pending items of other
 * batches are applied here, once all of their members are there. Items that continue to wait are registered when this returns.
 * It takes long if the batch misses many identities (a second for some 20,000), and ends early if the batch is suspended or cancelled.
 * @param input the indexes of the items that the workflow knows as pending.
 */
export async function lookForDependencies(context: ActivityContext, input: ItemsOfBatch): Promise<CheckResult> {
  const control = new ControlCheck(context.database, input);
  const batch = await readBatch(context.database, input.batchId);
  control.asRead(batch);
  if (batch === null || batch.run !== input.run) return NOTHING;
  const attempt = thisAttempt();
  const ours = ofWrite(await takeOverRun(context.database, batch, attempt));
  try {
    return await new PendingCheck(context, control, attempt, ours).check(input.indexes);
  } catch (error) {
    // The signal with the reason is on its way; without it the workflow checks again.
    if (error instanceof HaltedError) return { ...NOTHING, lookAgain: !control.isGone };
    throw error;
  }
}

/** The batch is suspended or cancelled: the check is stopped. */
class HaltedError extends Error {
  override readonly name = 'HaltedError';
}

class PendingCheck {
  readonly #context: ActivityContext;
  readonly #batch: WriteBatchDocument;
  readonly #attempt: Attempt;
  readonly #keys = new Map<ResourceKey, ResourceKey>();
  readonly #control: ControlCheck;

  constructor(context: ActivityContext, control: ControlCheck, attempt: Attempt, batch: WriteBatchDocument) {
    this.#context = context;
    this.#control = control;
    this.#attempt = attempt;
    this.#batch = batch;
  }

  async check(indexes: readonly number[]): Promise<CheckResult> {
    const batch = this.#batch;
    const { database, checkpoint } = this.#context;
    await endEarlierAttempts(database, this.#attempt, batch, () => claimedItems(database, batch));
    await recoverClaims(this.#context, batch);
    const found = await this.#registeredSurvey(indexes);
    await checkpoint?.('references-checked', batch._id);
    await this.#nextStep();
    const cycle = await this.#cycleOf(restOf(found));
    const isApplied = cycle.length > 0 && (await this.#apply(cycle));
    const { waiting, others } = isApplied ? await this.#readItems(indexes) : found;
    const pending = new Set(waiting.map((item) => item.index));
    const settled = indexes.filter((index) => !pending.has(index));
    const planned = [...found.ready]
      .filter((item) => pending.has(item.index))
      .map(({ index, key, missing, lookups }) => ({ index, key, references: missing, lookups }));
    return {
      settled,
      result: toWorkResult(settled, others),
      ready: planStages(await withStoredBytes(database, planned), chunkSize(this.#context, batch)),
      lookAgain: cycle.some((member) => member.batchId === batch._id && pending.has(member.index)),
    };
  }

  async #cycleOf(rest: readonly Waiting[]): Promise<PendingMember[]> {
    const presentOf = (keys: readonly ResourceKey[]) => this.#presentOf(keys);
    const assigned = await assignedCycle(this.#context, this.#batch, presentOf);
    return assigned.length > 0 ? assigned : findCycle(this.#context, this.#batch, rest, presentOf);
  }

  #apply(cycle: readonly PendingMember[]): Promise<boolean> {
    return applyCycle(this.#context, this.#attempt, this.#batch, cycle);
  }

  /** A survey after which every item that still waits is registered: if one was not, the survey is repeated (invariant 5). */
  async #registeredSurvey(indexes: readonly number[]): Promise<Survey> {
    const { database } = this.#context;
    const first = await this.#survey(indexes);
    const rest = restOf(first);
    let isRenewed = false;
    for (const some of portions(rest)) {
      await this.#nextStep();
      const renewal = renewPending(database, this.#batch, this.#attempt.id, some, (key) => !first.present.has(key));
      isRenewed = (await renewal) || isRenewed;
    }
    if (!isRenewed) return first;
    const second = await this.#survey(indexes);
    const waiting = new Set(second.waiting.map((item) => item.index));
    const settled = rest.filter((item) => !waiting.has(item.index));
    await dropPending(
      database,
      settled.map(({ key, index }) => ({ key, index, batchId: this.#batch._id, run: this.#batch.run })),
    );
    return second;
  }

  async #survey(indexes: readonly number[]): Promise<Survey> {
    const items = await this.#readItems(indexes);
    const present = await this.#presentOf(items.waiting.flatMap((item) => item.missing));
    for (const key of await this.#boundNow(items.unbound)) present.add(key);
    return { ...items, present, ready: selfSupporting(items.waiting, present) };
  }

  /** Only the missing identities of waiting items stay in memory, each once: a batch may miss millions of them. */
  async #readItems(indexes: readonly number[]): Promise<Items> {
    const { database } = this.#context;
    const batch = this.#batch;
    const wanted = new Set(indexes);
    const waiting: Waiting[] = [];
    const others = new Map<number, StoredOutcome>();
    const unbound = new Map<ResourceKey, string>();
    for await (const { outcomes } of outcomeChunks(database, batch, pagesWith(batch, indexes))) {
      await this.#nextStep();
      const asked = inOrder(outcomes).filter(([index]) => wanted.has(index));
      const pending = pendingAmong(asked);
      const missing = await allMissing(database, pending);
      const keys = new Map(
        (
          await keysOfItems(
            database,
            batch,
            pending.map(([index]) => index),
          )
        ).map(({ index, key }) => [index, key]),
      );
      for (const [index, outcome] of asked) {
        const key = keys.get(index);
        if (key === undefined) {
          others.set(index, outcome);
          continue;
        }
        const { keys: missed, list } = missing.get(index) ?? { keys: [] };
        waiting.push({
          index,
          key,
          missing: missed.map((each) => this.#once(each)),
          list,
          lookups: outcome.references ?? missed.length,
        });
        for (const each of missed) {
          const target = unboundTarget(each);
          if (target !== null) unbound.set(each, target);
        }
      }
    }
    return { waiting, others, unbound };
  }

  #once(key: ResourceKey): ResourceKey {
    const known = this.#keys.get(key);
    if (known === undefined) this.#keys.set(key, key);
    return known ?? key;
  }

  async #presentOf(keys: readonly ResourceKey[]): Promise<Set<ResourceKey>> {
    const { database } = this.#context;
    const present = new Set<ResourceKey>();
    for (const some of keyParts(new Set(keys), KEYS_AT_ONCE)) {
      await this.#nextStep();
      for (const key of await presentKeys(database, some)) present.add(key);
    }
    return present;
  }

  /** A schema definition that has appeared counts as present. */
  async #boundNow(unbound: ReadonlyMap<ResourceKey, string>): Promise<ResourceKey[]> {
    const { schemas } = this.#context;
    const schema = unbound.size > 0 ? await schemas.current(this.#batch.schemaDefinitionId) : null;
    if (schema === null) return [];
    const bound = await schemas.bind(schema.definition, [...unbound.values()]);
    return [...unbound].flatMap(([key, name]) => (bound.has(name.toLowerCase()) ? [key] : []));
  }

  /** Called between two steps. @throws HaltedError if the batch is suspended or cancelled, so that this does not wait for a long check. */
  async #nextStep(): Promise<void> {
    showProgress();
    if ((await this.#control.inTime()) !== null) throw new HaltedError();
  }
}

const restOf = ({ waiting, ready }: Survey): Waiting[] => waiting.filter((item) => !ready.has(item));

/** Items in portions with a few thousand missing identities. */
function* portions(items: readonly Waiting[]): Generator<Waiting[]> {
  let portion: Waiting[] = [];
  let keys = 0;
  for (const item of items) {
    portion.push(item);
    keys += 1 + item.missing.length;
    if (keys < KEYS_AT_ONCE) continue;
    yield portion;
    portion = [];
    keys = 0;
  }
  if (portion.length > 0) yield portion;
}
