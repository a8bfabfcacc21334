import { planStages, resourcesPerActivity, type Stage } from '../domain/plan-stages.ts';
import { type ResourceKey, resourceKey } from '../domain/resource.ts';
import { selfSupporting } from '../domain/self-supporting.ts';
import { type BatchDocument, readBatch } from '../store/batches.ts';
import { dropPending, renewPending } from '../store/dependencies.ts';
import { readIds } from '../store/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../store/outcome-pages.ts';
import { readTargets, visible } from '../store/resources.ts';
import { applyCycle, recoverClaims } from './apply-cycle.ts';
import { type ItemsOfBatch, type WorkResult, workResult } from './apply-items.ts';
import { currentDelivery } from './delivery.ts';
import type { Dependencies } from './dependencies.ts';
import { findCycle } from './find-cycle.ts';

/** A pending item, as far as waiting is concerned. */
export interface Waiting {
  readonly index: number;
  readonly key: ResourceKey;
  readonly missing: readonly ResourceKey[];
}

export interface LookResult {
  /** Items that do not wait any more: their own batch, or another one in a cycle with them, has settled them. */
  readonly settled: readonly number[];
  readonly result: WorkResult;
  /** Items that can be carried out now, what is referred to first. */
  readonly ready: readonly Stage[];
  /** A cycle could not be brought to its end this time: to be looked at again, hint or not. */
  readonly lookAgain: boolean;
}

/** What there is for the pending items of a batch. */
interface Survey {
  readonly outcomes: ReadonlyMap<number, StoredOutcome>;
  readonly waiting: readonly Waiting[];
  readonly present: ReadonlySet<ResourceKey>;
  readonly ready: ReadonlySet<Waiting>;
}

/**
 * What of a batch's pending items can go ahead: signals are hints, this is the proof (invariant 5). Ready is whose missing
 * identities are there now, or are created by items of the same batch that are ready too. Cycles with pending items of other
 * batches are carried out here, once all of their members are there. What goes on waiting is registered when this returns.
 * @param input the indexes that the workflow knows as pending.
 */
export async function lookForDependencies(dependencies: Dependencies, input: ItemsOfBatch): Promise<LookResult> {
  const { database, checkpoint, resourcesPerActivity: configured } = dependencies;
  const delivery = currentDelivery();
  const batch = await readBatch(database, input.batchId);
  if (batch === null || batch.run !== input.run) {
    return { settled: [], result: workResult([], new Map()), ready: [], lookAgain: false };
  }
  await recoverClaims(dependencies, batch);
  const found = await registeredSurvey(dependencies, batch, delivery.id, input.indexes);
  await checkpoint?.('looked-for-dependencies', batch._id);
  const cycle = await findCycle(dependencies, batch, restOf(found), (keys) => presentOf(dependencies, keys));
  const isApplied = cycle.length > 0 && (await applyCycle(dependencies, delivery, batch, cycle));
  const after = isApplied ? await readOutcomes(database, batch, input.indexes) : found.outcomes;
  const isPending = (index: number): boolean => after.get(index)?.status === 'pending';
  const settled = input.indexes.filter((index) => !isPending(index));
  const planned = [...found.ready]
    .filter((item) => isPending(item.index))
    .map((item) => ({ index: item.index, key: item.key, references: item.missing }));
  const missed = planned.reduce((sum, { references }) => sum + references.length, 0);
  return {
    settled,
    result: workResult(settled, after),
    ready: planStages(planned, resourcesPerActivity(Math.max(planned.length, 1), configured, missed)),
    lookAgain: cycle.some((member) => member.batchId === batch._id && isPending(member.index)),
  };
}

const restOf = ({ waiting, ready }: Survey): Waiting[] => waiting.filter((item) => !ready.has(item));

/** A survey after which everything that still waits is registered: if something was not, the survey is made again (invariant 5). */
async function registeredSurvey(
  dependencies: Dependencies,
  batch: BatchDocument,
  token: string,
  indexes: readonly number[],
): Promise<Survey> {
  const { database } = dependencies;
  const first = await survey(dependencies, batch, indexes);
  const rest = restOf(first);
  if (!(await renewPending(database, batch._id, token, rest, (key) => !first.present.has(key)))) return first;
  const second = await survey(dependencies, batch, indexes);
  const waiting = new Set(second.waiting.map((item) => item.index));
  const settled = rest.filter((item) => !waiting.has(item.index));
  await dropPending(
    database,
    settled.map(({ key, index }) => ({ key, index, batchId: batch._id })),
  );
  return second;
}

async function survey(dependencies: Dependencies, batch: BatchDocument, indexes: readonly number[]): Promise<Survey> {
  const outcomes = await readOutcomes(dependencies.database, batch, indexes);
  const waiting = await waitingItems(dependencies, batch, indexes, outcomes);
  const present = await presentKeys(
    dependencies,
    batch,
    outcomes,
    waiting.flatMap((item) => item.missing),
  );
  return { outcomes, waiting, present, ready: selfSupporting(waiting, present) };
}

async function waitingItems(
  { database }: Dependencies,
  batch: BatchDocument,
  indexes: readonly number[],
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<Waiting[]> {
  const pages = [...new Set(indexes.map((index) => Math.floor(index / batch.pageSize)))];
  const ids = await readIds(database, batch._id, pages);
  return indexes.flatMap((index): Waiting[] => {
    const outcome = outcomes.get(index);
    const externalId = ids.get(Math.floor(index / batch.pageSize))?.[index % batch.pageSize];
    if (outcome?.status !== 'pending' || typeof externalId !== 'string') return [];
    const key = resourceKey(batch, batch.schemaDefinitionId ?? '', externalId);
    return [{ index, key, missing: (outcome.missing ?? []).map((missing) => missing.key) }];
  });
}

/** Those of the missing identities that are there now; a schema definition that has appeared counts as there. */
async function presentKeys(
  dependencies: Dependencies,
  batch: BatchDocument,
  outcomes: ReadonlyMap<number, StoredOutcome>,
  keys: readonly ResourceKey[],
): Promise<Set<ResourceKey>> {
  const present = await presentOf(dependencies, keys);
  const unbound = [...outcomes.values()].flatMap((outcome) =>
    outcome.status === 'pending'
      ? (outcome.missing ?? []).filter((missing) => missing.schemaDefinitionId === undefined)
      : [],
  );
  const schema = unbound.length > 0 ? await dependencies.schemas.current(batch.schemaDefinitionId ?? '') : null;
  if (schema !== null) {
    const bound = await dependencies.schemas.bind(
      schema.definition,
      unbound.map((missing) => missing.schemaName),
    );
    for (const missing of unbound) if (bound.has(missing.schemaName.toLowerCase())) present.add(missing.key);
  }
  return present;
}

async function presentOf({ database }: Dependencies, keys: readonly ResourceKey[]): Promise<Set<ResourceKey>> {
  const documents = [...(await readTargets(database, [...new Set(keys)])).values()];
  return new Set((await visible(database, documents)).map((document) => document._id));
}
