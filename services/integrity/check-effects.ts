import { isTerminal } from '../../domain/batch/batch.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import { type BatchState, batchStates } from '../../store/batches/scan-batches.ts';
import { pageId } from '../../store/items/item-pages.ts';
import { readOutcomes } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { ResourceDocument, WriteEntry } from '../../store/resources.ts';
import type { Suspicion } from './check.ts';

/** Items whose outcomes are read at a time: each may be in another page. */
const ITEMS_AT_ONCE = 20;

interface Effect extends WriteEntry {
  readonly of: ResourceDocument;
}

/** Write records of batches that are over, whose item has not succeeded: its effect is there, and nobody knows of it (invariant 2). */
export async function checkEffects(database: Database, resources: readonly ResourceDocument[]): Promise<Suspicion[]> {
  const effects = resources.flatMap((of) => of.writes.map((write): Effect => ({ ...write, of })));
  const batches = await batchStates(
    database,
    effects.map(({ batchId }) => batchId),
  );
  const found: Suspicion[] = [];
  for (const [batchId, own] of byBatch(effects)) {
    const batch = batches.get(batchId);
    if (batch === undefined || !isTerminal(batch.status) || batch.deletedAt !== undefined) continue;
    for (const some of parts(inPages(batch, own), ITEMS_AT_ONCE))
      found.push(...(await withoutOutcome(database, batch, some)));
  }
  return found;
}

function byBatch(effects: readonly Effect[]): Map<string, Effect[]> {
  const groups = new Map<string, Effect[]>();
  for (const effect of effects) appendTo(groups, effect.batchId, effect);
  return groups;
}

/** Items of one page follow one another. */
const inPages = ({ _id, pageSize }: BatchState, effects: readonly Effect[]): Effect[] => {
  const pageOf = ({ index }: Effect): string => pageId(_id, Math.floor(index / pageSize));
  return [...effects].sort((a, b) => (pageOf(a) < pageOf(b) ? -1 : 1));
};

async function withoutOutcome(database: Database, batch: BatchState, effects: readonly Effect[]): Promise<Suspicion[]> {
  const outcomes = await readOutcomes(
    database,
    batch,
    effects.map(({ index }) => index),
  );
  return effects.flatMap(({ index, action, of }): Suspicion[] => {
    const status = outcomes.get(index)?.status ?? 'queued';
    if (status === 'succeeded') return [];
    const detail = `item ${index} of batch ${batch._id}, which is ${status}, has ${action} it`;
    return [{ kind: 'effect without outcome', id: of._id, state: `${of.id}:${of.version}:${batch.run}`, detail }];
  });
}
