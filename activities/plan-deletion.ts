import { heartbeat } from '@temporalio/activity';
import type { DeletionDecision } from '../domain/decide-deletion.ts';
import { decideLargeDeletion, keysPerStep, layOutDeletion } from '../domain/deletion-layout.ts';
import type { ItemError } from '../domain/outcome.ts';
import { type ResourceKey, resourceKey } from '../domain/resource.ts';
import { addInto, type Tally, tallyOf } from '../domain/tally.ts';
import type { BatchDocument } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import {
  type DecidedItems,
  type DeletionStep,
  type DeletionTarget,
  firstStep,
  insertStep,
} from '../store/deletion-steps.ts';
import { readIds, readItems } from '../store/item-pages.ts';
import { outcomeChunks, pagesOf, readOutcomes, type StoredOutcome } from '../store/outcome-pages.ts';
import { LAST_ROUND } from './delete-resources.ts';
import { notFoundError, referencedError, schemaNamesOf } from './deletion-outcomes.ts';
import { currentDelivery } from './delivery.ts';
import type { Dependencies } from './dependencies.ts';
import { loadDeletionGraph } from './load-deletion-graph.ts';
import type { Plan, Work } from './plan-batch.ts';
import { settleSteps } from './settle-deletion-step.ts';

/** What a resource that only the cascade deletes remembers of why: a few of those that it refers to and that go. */
const MAX_REASONS = 3;
/** Pages of ids that are read in one command. */
const PAGES_AT_ONCE = 20;

/**
 * Plans a delete, or what the steps of an earlier round have left open because somebody had come to refer to it. Planning
 * changes nothing but the plan: outcomes that are decided now are stored by steps too. So a plan can be made again at any
 * time, and one that comes late, with steps of its own, is never carried out (invariant 2).
 * @param round 0, and one more each time that all steps are done.
 */
export async function planDeletion({ database }: Dependencies, batch: BatchDocument, round: number): Promise<Plan> {
  const attempt = currentDelivery().superseded.length + 1;
  await settleSteps(database, batch);
  const { settled, tally } = await settledItems(database, batch);
  const counted: Tally = round === 0 ? tally : tallyOf([]);
  // Past the last round steps leave nothing open: what is left then failed for a reason of ours.
  if (round > LAST_ROUND + 1 || settled.every((one) => one === 1)) return { tally: counted, stages: [] };
  const asked = await askedItems(database, batch, settled);
  const stages = await decideSteps(database, batch, asked);
  const works: Work[][] = [];
  let step = firstStep(round, attempt);
  for (const steps of stages) {
    const stage: Work[] = [];
    for (const one of steps) {
      heartbeat();
      await insertStep(database, { batchId: batch._id, run: batch.run }, step, one);
      stage.push({ kind: 'step', step, items: itemsOf(one) });
      step += 1;
    }
    works.push(stage);
  }
  const deletes = stages.some((steps) => steps.some(({ targets }) => targets.size > 0));
  return { tally: counted, stages: works, ...(deletes && { next: round + 1 }) };
}

type NewStep = Pick<DeletionStep, 'targets' | 'decided'>;

const itemsOf = ({ targets, decided }: NewStep): number =>
  [...targets.values()].reduce((sum, { items }) => sum + items.length, 0) +
  decided.reduce((sum, { indexes }) => sum + indexes.length, 0);

/** Which items are settled (1 by index), and the tally of those. */
async function settledItems(database: Database, batch: BatchDocument): Promise<{ settled: Uint8Array; tally: Tally }> {
  const settled = new Uint8Array(batch.total);
  const tally = tallyOf([]);
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    heartbeat();
    const over = [...outcomes].filter(([, { status }]) => status !== 'queued' && status !== 'pending');
    for (const [index] of over) settled[index] = 1;
    const more = tallyOf(over.map(([, outcome]) => outcome));
    addInto(tally.counts, more.counts);
    addInto(tally.actions, more.actions);
    addInto(tally.errorCodes, more.errorCodes);
  }
  return { settled, tally };
}

interface AskedItems {
  /** Keys that are asked for -> their open items, the first one first. */
  readonly open: ReadonlyMap<ResourceKey, readonly number[]>;
  /** Items whose outcome needs no look at what is stored. */
  readonly decided: readonly DecidedItems[];
}

/** What the open items ask for; one that repeats a settled one has its outcome. */
async function askedItems(database: Database, batch: BatchDocument, settled: Uint8Array): Promise<AskedItems> {
  const open = new Map<ResourceKey, number[]>();
  const settledFirst = new Map<ResourceKey, number>();
  const repeats: { index: number; first: number }[] = [];
  const without: number[] = [];
  const pages = pagesOf(batch);
  for (let at = 0; at < pages.length; at += PAGES_AT_ONCE) {
    heartbeat();
    for (const [page, ids] of await readIds(database, batch._id, pages.slice(at, at + PAGES_AT_ONCE))) {
      for (const [offset, externalId] of ids.entries()) {
        const index = page * batch.pageSize + offset;
        if (externalId === null) {
          if (settled[index] === 0) without.push(index);
          continue;
        }
        const key = resourceKey(batch, batch.schemaDefinitionId ?? '', externalId);
        const first = settledFirst.get(key);
        const known = open.get(key);
        if (first !== undefined && settled[index] === 0) repeats.push({ index, first });
        else if (known !== undefined && settled[index] === 0) known.push(index);
        else if (known === undefined && first === undefined) {
          if (settled[index] === 1) settledFirst.set(key, index);
          else open.set(key, [index]);
        }
      }
    }
  }
  return {
    open,
    decided: [...(await repeated(database, batch, repeats)), ...(await unreadable(database, batch, without))],
  };
}

async function repeated(
  database: Database,
  batch: BatchDocument,
  repeats: readonly { index: number; first: number }[],
): Promise<DecidedItems[]> {
  const outcomes = await readOutcomes(
    database,
    batch,
    repeats.map(({ first }) => first),
  );
  return repeats.flatMap(({ index, first }) => {
    const outcome = outcomes.get(first);
    return outcome ? [{ indexes: [index], outcome: { ...outcome, repeat: true } }] : [];
  });
}

async function unreadable(
  database: Database,
  batch: BatchDocument,
  indexes: readonly number[],
): Promise<DecidedItems[]> {
  const invalid: ItemError = {
    code: 'invalid_external_id',
    message: 'an external id is a string of 1 to 256 characters',
  };
  const items = await readItems(database, batch, indexes);
  return items.map(({ index, faults }) => ({
    indexes: [index],
    outcome: failed(faults.length > 0 ? faults : [invalid]),
  }));
}

const failed = (errors: readonly ItemError[]): StoredOutcome => ({
  status: 'failed',
  errors: [...errors],
  attempts: 0,
});
const skipped = (error: ItemError): StoredOutcome => ({ status: 'skipped', errors: [error], attempts: 0 });

/** Decides on what is stored now: stages of steps. */
async function decideSteps(
  database: Database,
  batch: BatchDocument,
  { open, decided }: AskedItems,
): Promise<NewStep[][]> {
  const cascade = 'cascade' in batch.options && batch.options.cascade;
  const graph = await loadDeletionGraph(database, { scope: batch, targets: [...open.keys()], cascade }, heartbeat);
  const { stages, kept } = decideLargeDeletion(graph, cascade);
  const names = await schemaNamesOf(database, [...open.keys(), ...[...kept.values()].flat()]);
  const settled = [...decided];
  for (const [key, indexes] of open) {
    const referrers = kept.get(key);
    if (referrers !== undefined) settled.push({ indexes, outcome: skipped(referencedError(key, referrers, names)) });
    else if (!graph.references.has(key)) settled.push({ indexes, outcome: skipped(notFoundError(key, names)) });
  }
  const total = settled.length + stages.reduce((sum, stage) => sum + stage.length, 0);
  const size = keysPerStep(total);
  const settling: NewStep[] = [];
  for (let at = 0; at < settled.length; at += size) {
    settling.push({ targets: new Map(), decided: settled.slice(at, at + size) });
  }
  const deleted = new Set(stages.flat(2));
  const deleting = layOutDeletion(inItemOrder(stages, open), size).map((steps) =>
    steps.map((keys) => ({
      targets: new Map(keys.map((key) => [key, targetOf(key, open, graph.references, deleted)])),
      decided: [],
    })),
  );
  const [first = [], ...later] = deleting;
  return [[...settling, ...first], ...later].filter((stage) => stage.length > 0);
}

/** Groups of a stage in the order of their items: a step then touches few pages of outcomes. */
function inItemOrder(
  stages: DeletionDecision['stages'],
  open: ReadonlyMap<ResourceKey, readonly number[]>,
): DeletionDecision['stages'] {
  const firstItem = ([key = '']: readonly ResourceKey[]): number => open.get(key)?.[0] ?? Number.MAX_SAFE_INTEGER;
  return stages.map((stage) => stage.toSorted((a, b) => firstItem(a) - firstItem(b)));
}

function targetOf(
  key: ResourceKey,
  open: ReadonlyMap<ResourceKey, readonly number[]>,
  references: ReadonlyMap<ResourceKey, readonly ResourceKey[]>,
  deleted: ReadonlySet<ResourceKey>,
): DeletionTarget {
  const items = open.get(key);
  if (items !== undefined) return { items, reasons: [] };
  const reasons = (references.get(key) ?? []).filter((target) => target !== key && deleted.has(target));
  return { items: [], reasons: reasons.slice(0, MAX_REASONS) };
}
