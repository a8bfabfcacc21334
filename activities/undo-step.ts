import { ofOperation } from '../domain/batch/batch.ts';
import { isOpen } from '../domain/batch/outcome.ts';
import { RESOURCES_PER_SLICE } from '../domain/batch/plan-chunks.ts';
import { indivisibleSlices } from '../domain/schema/indivisible.ts';
import type { ResourceKey } from '../domain/write/resource.ts';
import { type Attempt, thisAttempt } from '../isolation/attempts/attempt.ts';
import { endEarlierAttempts } from '../isolation/attempts/earlier-attempts.ts';
import { takeOverRun } from '../isolation/attempts/executions.ts';
import { type DeletionStep, markStepDone, readStep, roundOfStep, stepId } from '../isolation/deletes/deletion-steps.ts';
import { withIntent } from '../isolation/intents/with-intent.ts';
import { wakeWaiting } from '../services/batches/wake-waiting.ts';
import { type Restored, toRestore } from '../services/undo/restored-items.ts';
import { readBatch, type UndoBatchDocument } from '../store/batches/batches.ts';
import { type ImageLink, imageId, readImageLinks } from '../store/items/before-images.ts';
import { readUndoEntries } from '../store/items/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../store/items/outcomes.ts';
import { fenceOutcomes, writeOutcomes } from '../store/items/write-outcomes.ts';
import type { DeletionResult, StepOfBatch } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { inTurn } from './apply-items.ts';
import { ControlCheck } from './control/control-check.ts';
import { writeDecided } from './delete/deletion-outcomes.ts';
import { deleteResources } from './delete-resources.ts';
import { createdKeysOf, finishApplied } from './finish/finish-open-items.ts';
import { toWorkResult } from './finish/work-result.ts';
import { WRITING_ROUND } from './undo/plan-undo.ts';
import { storeFailures, storeResults } from './write/item-outcomes.ts';
import { readStoredState, writeItems } from './write/write-items.ts';

const NOTHING: DeletionResult = { ...toWorkResult([], new Map()), cascaded: 0 };
/** Bytes of resources that are decided together, except for a larger cycle. */
const BYTES_PER_SLICE = 16 * 1024 * 1024;

/**
 * Runs one step of an undo: what is to be removed, as a delete does; what is written, as an upload does. Invariant 9: an item that is `reverted` leaves its
 * resource as it was before the item, but for version and dates; one that is not says why, and has changed nothing. So a resource is written only
 * over the state in which the batch has left it, and only if it is valid and all that it refers to is there.
 */
export async function undoStep(context: ActivityContext, input: StepOfBatch): Promise<DeletionResult> {
  if (roundOfStep(input.step) > WRITING_ROUND) return deleteResources(context, input);
  const attempt = thisAttempt();
  return inTurn(context, attempt, () => runStep(context, attempt, input));
}

/** A step that writes. */
interface Writing {
  readonly context: ActivityContext;
  readonly attempt: Attempt;
  readonly control: ControlCheck;
  readonly batch: UndoBatchDocument;
  readonly step: DeletionStep;
}

async function runStep(context: ActivityContext, attempt: Attempt, input: StepOfBatch): Promise<DeletionResult> {
  const { database } = context;
  const control = new ControlCheck(database, input);
  const found = await readBatch(database, input.batchId);
  const halt = control.asRead(found);
  const step = found?.run === input.run ? await readStep(database, stepId(input.batchId, input.run, input.step)) : null;
  if (found === null || step === null) return NOTHING;
  const batch = ofOperation(await takeOverRun(database, found, attempt), 'undo');
  const work: Writing = { context, attempt, control, batch, step };
  const indexes = indexesOf(step);
  if (batch.execution?.follows) await fenceOutcomes(database, batch, indexes);
  await endEarlierAttempts(database, attempt, batch, async () => writableIn(work));
  // items that an earlier attempt has written: their outcomes, and the batches that wait for them (invariant 5)
  await finishApplied(database, batch, leadersOf(step));
  const before = await readOutcomes(database, batch, indexes);
  await wakeWaiting(context, await createdKeysOf(database, batch, before));
  await writeDecided(database, batch, step.decided);
  const isWhole = halt === null && (await writeOpen(work, before));
  await repeatOutcomes(work);
  if (!isWhole) return control.isGone ? NOTHING : { ...NOTHING, isLeft: true };
  attempt.assertInTime();
  await markStepDone(database, step.id, 0);
  return { ...toWorkResult(indexes, await readOutcomes(database, batch, indexes)), cascaded: 0 };
}

const indexesOf = ({ targets, decided }: DeletionStep): number[] => [
  ...[...targets.values()].flatMap(({ items }) => [...items]),
  ...decided.flatMap(({ indexes }) => [...indexes]),
];

/** The first item of each resource: it writes for the others, too. */
const leadersOf = ({ targets }: DeletionStep): number[] =>
  [...targets.values()].flatMap(({ items }) => items.slice(0, 1));

const writableIn = ({ batch, step }: Writing) => [
  { batch, items: [...step.targets].flatMap(([key, { items }]) => items.map((index) => ({ key, index }))) },
];

/** Writes the items without an outcome, slice by slice. @returns false if the batch is suspended or cancelled before all are begun. */
async function writeOpen(work: Writing, before: ReadonlyMap<number, StoredOutcome>): Promise<boolean> {
  const { context, batch, step, control } = work;
  const open = leadersOf(step).filter((index) => isOpen(before.get(index)?.status));
  const entries = await readUndoEntries(context.database, batch, open);
  const links = await readImageLinks(
    context.database,
    [...entries.values()].flatMap(({ before: state }) => (state ? [imageId(batch.options.undoOf, state)] : [])),
  );
  const restored = [...entries].map(([index, entry]): Restored & Ordered => {
    const link = entry.before && links.get(imageId(batch.options.undoOf, entry.before));
    return { index, entry, outcome: before.get(index), key: entry.key, references: referencesOf(link) };
  });
  let halt = await control.inTime();
  for (const slice of indivisibleSlices(restored, () => sliceSize([...links.values()]))) {
    if (halt !== null) return false;
    await writeSlice(work, slice);
    halt = await control.now();
  }
  return true;
}

/** What the order of items depends on. */
interface Ordered {
  readonly key: ResourceKey;
  readonly references: readonly { readonly key: ResourceKey }[];
}

const referencesOf = (link: ImageLink | undefined): Ordered['references'] =>
  (link?.references ?? []).map((key) => ({ key }));

function sliceSize(links: readonly ImageLink[]): number {
  const largest = links.reduce((most, { bytes }) => Math.max(most, bytes), 1);
  return Math.max(1, Math.min(RESOURCES_PER_SLICE, Math.floor(BYTES_PER_SLICE / largest)));
}

/** Writes items under an intent of their references, and stores their outcomes. */
async function writeSlice(work: Writing, slice: readonly Restored[]): Promise<void> {
  const { context, attempt, batch } = work;
  const { database, checkpoint } = context;
  const { work: items, schemas, refused } = await toRestore(context, batch, slice);
  attempt.assertInTime();
  await writeOutcomes(database, batch, refused);
  if (items.length === 0) return;
  const writing = { context, batch, attempt, storeFailures: storeFailures(database) };
  const outcomes = new Map<number, StoredOutcome>();
  await withIntent(context, attempt, batch, schemas, items, async () => writableIn(work), {
    read: () => readStoredState(writing, items),
    write: async (stored) => {
      const results = await writeItems(writing, items, stored);
      attempt.assertInTime();
      await storeResults(database, batch, results, outcomes);
      await checkpoint?.('outcomes-stored', batch._id);
    },
    after: async () => wakeWaiting(context, await createdKeysOf(database, batch, outcomes)),
  });
}

/** Items of one resource have one outcome: what the first one has written is the state before all of them. */
async function repeatOutcomes({ context: { database }, batch, step }: Writing): Promise<void> {
  const repeated = [...step.targets.values()].filter(({ items }) => items.length > 1);
  if (repeated.length === 0) return;
  const known = await readOutcomes(
    database,
    batch,
    repeated.map(({ items }) => items[0] ?? 0),
  );
  const outcomes = new Map<number, StoredOutcome>();
  for (const { items } of repeated) {
    const [first, ...others] = items;
    const outcome = known.get(first ?? -1);
    if (outcome !== undefined && !isOpen(outcome.status))
      for (const index of others) outcomes.set(index, { ...outcome, repeat: true });
  }
  await writeOutcomes(database, batch, outcomes);
}
