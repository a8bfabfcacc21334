import type { ItemError } from '../../domain/batch/outcome.ts';
import { runYielding } from '../../domain/collections/run-yielding.ts';
import { LinkedResources } from '../../domain/delete/linked-resources.ts';
import { layOutDeletion } from '../../domain/delete/step-layout.ts';
import type { UndoEntry } from '../../domain/undo/undo-entry.ts';
import { CHANGED_SINCE } from '../../domain/write/decide-writes.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { DecidedItems, DeletionTarget } from '../../isolation/deletes/deletion-steps.ts';
import { wakeWaiting } from '../../services/batches/wake-waiting.ts';
import { decideYielding } from '../../services/deletes/decide-yielding.ts';
import type { UndoBatchDocument } from '../../store/batches/batches.ts';
import { imageId, readImageLinks } from '../../store/items/before-images.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { Plan } from '../../workflows/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import type { ControlCheck } from '../control/control-check.ts';
import { repeatsOf } from '../delete/deletion-outcomes.ts';
import { planDeletion, planSteps, type StepPlanning } from '../delete/plan-deletion.ts';
import { ItemsByNumber, undoEntries } from '../delete/requested-items.ts';
import { createdKeysOf } from '../finish/finish-open-items.ts';

/** The round of steps that write resources; later ones remove what was created. */
export const WRITING_ROUND = 0;
/** Resources that one step writes, except for a larger cycle. */
const RESOURCES_PER_STEP = 100;

/**
 * Plans an undo. First what is written: resources that go back to an earlier state, and those that are created again, targets of references
 * first, and cycles in one step. Then what is removed, as a delete does it: what was written by then may refer to it no longer.
 */
export async function planUndo(
  context: ActivityContext,
  batch: UndoBatchDocument,
  round: number,
  control: ControlCheck,
): Promise<Plan> {
  if (round > WRITING_ROUND) return planDeletion(context, batch, round, control);
  // invariant 5: an earlier execution may have stored outcomes without waking any batch
  if (batch.run > 1 || batch.execution?.follows) await wakeAgain(context, batch);
  const { database } = context;
  let removes = false;
  const plan = await planSteps(context, batch, round, control, async (finished, planning) => {
    removes = await writeSteps(database, batch, finished, planning);
  });
  if (plan.isLeft) return plan;
  const { next: _, ...written } = plan;
  return removes ? { ...written, next: round + 1 } : written;
}

async function wakeAgain(context: ActivityContext, batch: UndoBatchDocument): Promise<void> {
  for await (const { outcomes } of outcomeChunks(context.database, batch))
    await wakeWaiting(context, await createdKeysOf(context.database, batch, outcomes));
}

/** @returns whether there is anything to remove afterwards. */
async function writeSteps(
  database: Database,
  batch: UndoBatchDocument,
  finished: Uint8Array,
  planning: StepPlanning,
): Promise<boolean> {
  const { charge, progress, write } = planning;
  const linked = new LinkedResources(charge);
  const recreated = new ItemsByNumber(linked.keys, charge);
  const restored = new Map<ResourceKey, number[]>();
  const decided: DecidedItems[] = [];
  let removes = false;
  for await (const entries of undoEntries(database, batch)) {
    await progress();
    for (const [index, entry] of entries.filter(([index]) => finished[index] === 0)) {
      const { kind, key } = entry;
      if (kind === 'recreate') recreated.add(linked.keys.add(key), index);
      else if (kind === 'remove') removes = true;
      else if (kind === 'stale') decided.push({ indexes: [index], outcome: skipped(CHANGED_SINCE) });
      else restored.set(key, [...(restored.get(key) ?? []), index]);
    }
    decided.push(...(await followed(database, batch, entries, finished, restored)));
    await addReferences(database, batch, entries, linked);
  }
  // at most as many as an upload has
  for (const some of parts([...restored], RESOURCES_PER_STEP))
    await write(0, { targets: targetsOf(some), decided: [] });
  for (const some of parts(decided, RESOURCES_PER_STEP)) await write(0, { targets: new Map(), decided: some });
  await writeRecreations(batch, linked, recreated, planning);
  return removes;
}

const skipped = (error: ItemError): DecidedItems['outcome'] => ({ status: 'skipped', errors: [error], attempts: 0 });

const targetsOf = (items: readonly (readonly [ResourceKey, readonly number[]])[]): Map<ResourceKey, DeletionTarget> =>
  new Map(items.map(([key, indexes]) => [key, { items: indexes, reasons: [] }]));

/** Items whose leader is finished, by an earlier run: they have its outcome. Each is taken from those that are to be restored. */
async function followed(
  database: Database,
  batch: UndoBatchDocument,
  entries: readonly (readonly [number, UndoEntry])[],
  finished: Uint8Array,
  restored: Map<ResourceKey, number[]>,
): Promise<DecidedItems[]> {
  const followers = entries.filter(
    ([index, { kind, leader }]) =>
      kind === 'restore' && leader !== undefined && finished[index] === 0 && finished[leader] === 1,
  );
  for (const [, { key }] of followers) restored.delete(key);
  return repeatsOf(
    database,
    batch,
    followers.map(([index, { leader = 0 }]) => ({ index, first: leader })),
  );
}

/** References among the resources that are created again. */
async function addReferences(
  database: Database,
  batch: UndoBatchDocument,
  entries: readonly (readonly [number, UndoEntry])[],
  linked: LinkedResources,
): Promise<void> {
  const ids = entries.flatMap(([, { kind, before }]) =>
    kind === 'recreate' && before ? [imageId(batch.options.undoOf, before)] : [],
  );
  for (const { key, references } of (await readImageLinks(database, ids)).values()) {
    const from = linked.keys.find(key);
    if (from < 0) continue;
    for (const target of references) linked.addReference(from, linked.keys.add(target));
  }
}

/** The order of a delete of all of them, backwards: a delete removes referrers before their targets. */
async function writeRecreations(
  { total }: UndoBatchDocument,
  linked: LinkedResources,
  items: ItemsByNumber,
  { charge, progress, write }: StepPlanning,
): Promise<void> {
  const { keys } = linked;
  if (keys.size === 0) return;
  // resources outside of the undo that are referred to are there, or missing, whatever the order is
  const targets = new Uint8Array(keys.size).fill(1);
  const decision = await decideYielding({ linked, cascade: false, charge, progress }, targets);
  const layout = await runYielding(layOutDeletion(decision, items.sequence(total), RESOURCES_PER_STEP), progress);
  let stage = 0;
  for (const steps of layout.stages.toReversed()) {
    let isEmpty = true;
    for (const { from, to } of steps) {
      const some = Array.from(layout.order.subarray(from, to)).filter((number) => items.first(number) >= 0);
      if (some.length === 0) continue;
      isEmpty = false;
      await write(stage, {
        targets: targetsOf(some.map((number) => [keys.key(number), items.of(number)])),
        decided: [],
      });
    }
    // one that has only what is referred to, and is not created again, is none: a plan has no gap
    if (!isEmpty) stage += 1;
  }
}
