import { activityInfo } from '@temporalio/activity';
import { planStages, resourcesPerActivity } from '../domain/plan-stages.ts';
import { resourceKey } from '../domain/resource.ts';
import { referencesIn } from '../domain/schema-references.ts';
import { type Tally, tallyOf } from '../domain/tally.ts';
import { type BatchDocument, readBatch, recordRunning, recordStarted } from '../store/batches.ts';
import { readItems } from '../store/item-pages.ts';
import { outcomeChunks, pagesOf, readOutcomePages, requeueOutcomes, type StoredOutcome } from '../store/outcome-pages.ts';
import type { Dependencies } from './dependencies.ts';
import { planDeletion } from './plan-deletion.ts';
import { planTermination } from './plan-termination.ts';

/** The work of one activity: items by index, or a step of a stored plan, with the number of its items. */
export type Work =
  | { readonly kind: 'items'; readonly indexes: readonly number[] }
  | { readonly kind: 'step'; readonly step: number; readonly items: number };

export interface Plan {
  /** What is settled before anything is carried out: by an earlier run, or by planning itself. Counts only once-queued items. */
  readonly tally: Tally;
  /** Work of one stage runs side by side, stages one after the other. */
  readonly stages: readonly (readonly Work[])[];
  /** Where to plan on once these stages are done; absent when they are all. */
  readonly next?: number;
}

export interface PlanInput {
  readonly batchId: string;
  readonly run: number;
  /** 0 for the first plan of a run, then the `next` of the one before. */
  readonly cursor: number;
}

/**
 * Lays out a run of a batch, or the next part of it; null where there is no such run (the batch is deleted, has been retried
 * since, or is finished): then the workflow has nothing to do. The first plan of a retry takes its items back to queued.
 */
export async function planBatch(dependencies: Dependencies, input: PlanInput): Promise<Plan | null> {
  const { database } = dependencies;
  const batch = await readBatch(database, input.batchId);
  if (batch === null || batch.run !== input.run || batch.completedAt !== undefined || batch.deletedAt !== undefined) return null;
  if (input.cursor === 0) {
    await recordStarted(database, batch._id, activityInfo().workflowExecution?.runId ?? '');
    await recordRunning(database, input, { status: 'processing' });
    if (batch.run > 1) await requeueUnsuccessful(dependencies, batch);
  }
  switch (batch.operation) {
    case 'upload':
    case 'patch':
      return planWrites(dependencies, batch);
    case 'delete':
      return planDeletion(dependencies, batch, input.cursor);
    case 'terminate':
      return planTermination(dependencies, batch, input.cursor);
  }
}

async function planWrites(dependencies: Dependencies, batch: BatchDocument): Promise<Plan> {
  const { database, schemas, resourcesPerActivity: configured } = dependencies;
  const outcomes = new Map<number, StoredOutcome>();
  if (batch.run > 1) {
    for (const [index, outcome] of await readOutcomePages(database, batch._id, pagesOf(batch))) outcomes.set(index, outcome);
  }
  const open = Array.from({ length: batch.total }, (_, index) => index).filter((index) => isQueued(outcomes.get(index)));
  const items = await readItems(database, batch, open);
  const schema = await schemas.current(batch.schemaDefinitionId ?? '');
  const found = items.map(({ body }) => (body && schema ? referencesIn(schema.compiled.referenceFields, body) : []));
  const bound = schema
    ? await schemas.bind(schema.definition, found.flat().map((reference) => reference.target))
    : new Map<string, { id: string }>();
  const planned = items.map(({ index, externalId }, at) => ({
    index,
    key: externalId === null ? null : resourceKey(batch, batch.schemaDefinitionId ?? '', externalId),
    references: (found[at] ?? []).flatMap(({ target, externalId: id }) => {
      const definition = bound.get(target.toLowerCase());
      return definition ? [resourceKey(batch, definition.id, id)] : [];
    }),
  }));
  const stages = planStages(planned, resourcesPerActivity(planned.length, configured));
  const settled = [...outcomes.values()].filter((outcome) => !isQueued(outcome));
  return { tally: tallyOf(settled), stages: stages.map((chunks) => chunks.map((indexes) => ({ kind: 'items', indexes }))) };
}

/** An item that an earlier delivery of this run has made pending goes through its chunk again. */
const isQueued = (outcome: StoredOutcome | undefined): boolean =>
  outcome === undefined || outcome.status === 'queued' || outcome.status === 'pending';

/** Failed, expired and cancelled items of a retried batch become queued again, with their attempts. Safe to repeat. */
async function requeueUnsuccessful(dependencies: Dependencies, batch: BatchDocument): Promise<void> {
  for await (const { outcomes } of outcomeChunks(dependencies.database, batch)) {
    const again = [...outcomes].filter(([, { status }]) => status === 'failed' || status === 'expired' || status === 'cancelled');
    await requeueOutcomes(dependencies.database, batch, new Map(again));
  }
}
