import { planStages, resourcesPerActivity, type Stage } from '../domain/plan-stages.ts';
import { type ResourceKey, resourceKey } from '../domain/resource.ts';
import { selfSupporting } from '../domain/self-supporting.ts';
import { type BatchDocument, readBatch } from '../store/batches.ts';
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
}

/**
 * What of a batch's pending items can go ahead: signals are hints, this is the proof (invariant 5). Ready is whose missing
 * identities are there now, or are created by items of the same batch that are ready too. Cycles with pending items of other
 * batches are carried out here, once all of their members are there.
 * @param input the indexes that the workflow knows as pending.
 */
export async function lookForDependencies(dependencies: Dependencies, input: ItemsOfBatch): Promise<LookResult> {
  const { database, resourcesPerActivity: configured } = dependencies;
  const batch = await readBatch(database, input.batchId);
  if (batch === null || batch.run !== input.run) return { settled: [], result: workResult([], new Map()), ready: [] };
  await recoverClaims(dependencies, batch);
  const outcomes = await readOutcomes(database, batch, input.indexes);
  const waiting = await waitingItems(dependencies, batch, input.indexes, outcomes);
  const present = await presentKeys(dependencies, batch, outcomes, waiting.flatMap((item) => item.missing));
  const ready = selfSupporting(waiting, present);
  const rest = waiting.filter((item) => !ready.has(item));
  const cycle = await findCycle(dependencies, batch, rest, (keys) => presentOf(dependencies, keys));
  if (cycle.length > 0) await applyCycle(dependencies, currentDelivery(), batch, cycle);
  const after = cycle.length > 0 ? await readOutcomes(database, batch, input.indexes) : outcomes;
  const settled = input.indexes.filter((index) => after.get(index)?.status !== 'pending');
  const planned = [...ready].map((item) => ({ index: item.index, key: item.key, references: item.missing }));
  return {
    settled,
    result: workResult(settled, after),
    ready: planStages(planned, resourcesPerActivity(Math.max(planned.length, 1), configured)),
  };
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
    outcome.status === 'pending' ? (outcome.missing ?? []).filter((missing) => missing.schemaDefinitionId === undefined) : [],
  );
  const schema = unbound.length > 0 ? await dependencies.schemas.current(batch.schemaDefinitionId ?? '') : null;
  if (schema !== null) {
    const bound = await dependencies.schemas.bind(schema.definition, unbound.map((missing) => missing.schemaName));
    for (const missing of unbound) if (bound.has(missing.schemaName.toLowerCase())) present.add(missing.key);
  }
  return present;
}

async function presentOf({ database }: Dependencies, keys: readonly ResourceKey[]): Promise<Set<ResourceKey>> {
  const documents = [...(await readTargets(database, [...new Set(keys)])).values()];
  return new Set((await visible(database, documents)).map((document) => document._id));
}
