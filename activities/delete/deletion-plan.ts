import type { Delete } from '../../domain/batch/batch.ts';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { runYielding } from '../../domain/collections/run-yielding.ts';
import { type CascadeReasons, cascadeReasons, reasonsOf } from '../../domain/delete/cascade-reasons.ts';
import { isDeleted, type NumberedDecision, survivingReferrers } from '../../domain/delete/decide-deletion.ts';
import { LinkedResources } from '../../domain/delete/linked-resources.ts';
import { type DeletionLayout, keysPerStep, layOutDeletion, type StepRange } from '../../domain/delete/step-layout.ts';
import { CHANGED_SINCE } from '../../domain/write/decide-writes.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { DecidedItems, DeletionStep, DeletionTarget } from '../../isolation/deletes/deletion-steps.ts';
import { type SchemaNames, schemaNamesOf } from '../../services/definitions/schema-names.ts';
import { decideYielding } from '../../services/deletes/decide-yielding.ts';
import { notFoundError, referencedError } from '../../services/deletes/deletion-errors.ts';
import { keysWorthAScan, type Loading, loadAll, loadListed } from '../../services/deletes/load-deletion-graph.ts';
import type { DeleteBatchDocument, UndoBatchDocument } from '../../store/batches/batches.ts';
import { readItems } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import { repeatsOf } from './deletion-outcomes.ts';
import { ItemsByNumber, type RequestedItem, requestedItems } from './requested-items.ts';

export type NewStep = Pick<DeletionStep, 'targets' | 'decided'>;

export interface Planning extends Pick<Loading, 'database' | 'charge' | 'progress'> {
  readonly batch: DeleteBatchDocument | UndoBatchDocument;
  /** 1 by index for items that have their outcome. */
  readonly finished: Uint8Array;
  /** Receives the steps of a stage, the first one being 0; steps of one stage are independent of each other. */
  readonly write: (stage: number, step: NewStep) => Promise<void>;
}

/** The properties of the numbered resources. */
interface Known {
  readonly linked: LinkedResources;
  readonly items: ItemsByNumber;
  /** 1 for each resource that exists and that an unfinished item requests. */
  readonly targets: Uint8Array;
  readonly decision: NumberedDecision;
}

/** Decides on the stored resources, and writes the steps that apply the decision. */
export async function decideSteps(planning: Planning): Promise<void> {
  const { database, batch, finished, charge, progress } = planning;
  const { schemaDefinitionId } = batch;
  const { cascade, deleteAll, resourcesPerActivity = Number.POSITIVE_INFINITY } = howToDelete(batch);
  const linked = new LinkedResources(charge);
  const items = new ItemsByNumber(linked.keys, charge);
  const loading: Loading = { database, scope: batch, schemaDefinitionId, cascade, linked, charge, progress };
  const open = finished.length - finished.reduce((sum, one) => sum + one, 0);
  const targets =
    deleteAll && open > (await keysWorthAScan(database))
      ? await findInAll(planning, loading, items)
      : await findListed(planning, loading, items);
  const decision = await decideYielding(loading, targets);
  const size = Math.min(keysPerStep(open + cascadedIn(decision, targets)), resourcesPerActivity);
  const known = { linked, items, targets, decision };
  await writeWithoutOrder(planning, known, size);
  const layout = await runYielding(layOutDeletion(decision, items.sequence(batch.total), size), progress);
  const reasons = cascade ? await runYielding(cascadeReasons(decision, targets), progress) : null;
  for (const [stage, steps] of layout.stages.entries()) {
    for (const step of steps)
      await planning.write(stage, { targets: targetsOf(known, layout, step, reasons), decided: [] });
  }
}

/** An undo deletes just what its batch has created. */
const howToDelete = (batch: Planning['batch']): Delete['options'] =>
  batch.operation === 'undo' ? { cascade: false, deleteAll: false } : batch.options;

/** Numbers all requested resources, and those linked to them. */
async function findListed(
  { database, batch, finished, progress }: Planning,
  loading: Loading,
  items: ItemsByNumber,
): Promise<Uint8Array> {
  const { keys } = loading.linked;
  for await (const page of requestedItems(database, batch)) {
    await progress();
    for (const { index, key } of page) if (key !== null) items.add(keys.add(key), index);
  }
  const present = await loadListed(loading);
  const targets = new Uint8Array(keys.size);
  for (const [number, isThere] of present.entries()) {
    // an item that repeats a finished one has its outcome
    if (isThere === 1 && finished[items.first(number)] === 0) targets[number] = 1;
  }
  return targets;
}

/** Numbers only linked resources: whether the others exist, the steps find out. */
async function findInAll(
  { database, batch, finished, progress }: Planning,
  loading: Loading,
  items: ItemsByNumber,
): Promise<Uint8Array> {
  const { keys } = loading.linked;
  await loadAll(loading);
  const targets = new Uint8Array(keys.size);
  for await (const page of requestedItems(database, batch)) {
    await progress();
    for (const { index, key } of page) {
      const number = key === null || finished[index] === 1 ? -1 : keys.find(key);
      if (number < 0) continue;
      items.add(number, index);
      targets[number] = 1;
    }
  }
  return targets;
}

function cascadedIn(decision: NumberedDecision, targets: Uint8Array): number {
  let cascaded = 0;
  for (const [number, isTarget] of targets.entries()) if (isTarget === 0 && isDeleted(decision, number)) cascaded += 1;
  return cascaded;
}

/** Writes steps for items that can be deleted, or get their outcome, at any time: resources without links, and those that are not deleted. */
async function writeWithoutOrder(planning: Planning, known: Known, size: number): Promise<void> {
  const { database, batch, finished, progress, write } = planning;
  const names = await schemaNamesOf(database, known.linked.keys.groups);
  let decided: DecidedItems[] = [];
  let targets = new Map<ResourceKey, DeletionTarget>();
  for await (const page of requestedItems(database, batch)) {
    await progress();
    const open = page.filter(({ index }) => finished[index] === 0);
    decided.push(...(await unreadable(planning, open)), ...(await repeated(planning, known, open)));
    for (const { index, key } of open) {
      if (key === null) continue;
      const number = known.linked.keys.find(key);
      if (number < 0) targets.set(key, { items: [index], reasons: [] });
      else if (known.items.first(number) === index && !isDeleted(known.decision, number)) {
        const error = await errorOf(planning, known, names, number);
        decided.push({ indexes: known.items.of(number), outcome: skipped(error) });
      }
      if (targets.size + decided.length < size) continue;
      await write(0, { targets, decided });
      [targets, decided] = [new Map(), []];
    }
  }
  if (targets.size + decided.length > 0) await write(0, { targets, decided });
}

async function errorOf(
  { batch, progress }: Planning,
  { linked, targets, decision }: Known,
  names: SchemaNames,
  number: number,
): Promise<ItemError> {
  const key = linked.keys.key(number);
  if (targets[number] === 0) return batch.operation === 'undo' ? CHANGED_SINCE : notFoundError(key, names);
  return referencedError(key, await runYielding(survivingReferrers(linked, decision, number), progress), names);
}

/** Items that repeat a finished one. */
async function repeated(
  { database, batch, finished }: Planning,
  { linked, items }: Known,
  open: readonly RequestedItem[],
): Promise<DecidedItems[]> {
  const repeats = open.flatMap(({ index, key }) => {
    const first = key === null ? -1 : items.first(linked.keys.find(key));
    return first >= 0 && finished[first] === 1 ? [{ index, first }] : [];
  });
  return repeatsOf(database, batch, repeats);
}

const INVALID_ID: ItemError = {
  code: 'invalid_external_id',
  message: 'an external id is a string of 1 to 256 characters',
};

/** Items whose id no resource can have. */
async function unreadable({ database, batch }: Planning, open: readonly RequestedItem[]): Promise<DecidedItems[]> {
  const indexes = open.flatMap(({ index, key }) => (key === null ? [index] : []));
  const items = indexes.length === 0 ? [] : await readItems(database, batch, indexes);
  return items.map(({ index, faults }) => ({
    indexes: [index],
    outcome: { status: 'failed', errors: faults.length > 0 ? [...faults] : [INVALID_ID], attempts: 0 },
  }));
}

const skipped = (error: ItemError): StoredOutcome => ({ status: 'skipped', errors: [error], attempts: 0 });

function targetsOf(
  { linked: { keys }, items, targets }: Known,
  { order }: DeletionLayout,
  { from, to }: StepRange,
  reasons: CascadeReasons | null,
): Map<ResourceKey, DeletionTarget> {
  return new Map(
    Array.from(order.subarray(from, to), (number): [ResourceKey, DeletionTarget] => {
      if (targets[number] === 1) return [keys.key(number), { items: items.of(number), reasons: [] }];
      const because = reasons === null ? [] : [...reasonsOf(reasons, number)];
      return [keys.key(number), { items: [], reasons: because.map((reason) => keys.key(reason)) }];
    }),
  );
}
