import { setImmediate } from 'node:timers/promises';
import { RESOURCES_PER_SLICE } from '../../domain/batch/plan-chunks.ts';
import { type Computation, runYielding } from '../../domain/collections/run-yielding.ts';
import { DroverError } from '../../domain/errors.ts';
import { MAX_DRY_RUN_MS } from '../../domain/limits.ts';
import { indivisibleSlices } from '../../domain/schema/indivisible.ts';
import type { ResourceState } from '../../domain/write/decide-writes.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { presentKeys, seenResources } from '../../isolation/resources/targets.ts';
import type { Item } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import { KEYS_AT_ONCE, keyParts } from '../../store/mongodb/parts.ts';
import type { LoadedSchema } from '../definitions/schema-catalog.ts';
import { decideWithinBudget } from './decide-within-budget.ts';
import { type PlanningParts, planItems } from './plan-writes.ts';
import { type DecidedBatch, type DecidedItem, toWorkItems } from './work-items.ts';
import { failedOutcome, toOutcome } from './write-outcome.ts';

const TOO_LATE = `the dry run takes longer than ${MAX_DRY_RUN_MS / 1000} s: ask about fewer resources; the batch itself has no such limit`;
/** Time after which deciding lets others of its process continue, in ms. */
const YIELD_AFTER_MS = 5;

/** What a dry run needs. */
interface PreviewParts extends PlanningParts {
  /** Of some resources those that count as present, although they are not stored. */
  readonly alsoPresent?: (keys: readonly ResourceKey[]) => Promise<ReadonlySet<ResourceKey>>;
}

/** What the items of a batch would meet and make. */
interface Preview {
  readonly parts: PreviewParts;
  readonly batch: DecidedBatch;
  readonly schema: LoadedSchema;
  /** In ms since 1970. */
  readonly deadline: number;
  readonly outcomes: Map<number, StoredOutcome>;
  /** Resources that items before would have created. */
  readonly created: Set<ResourceKey>;
  readonly run: <T>(decision: Computation<T>) => Promise<T>;
}

/**
 * Decides an upload or patch on the resources as readers see them, and changes nothing: in the order of the real run (the same plan, the same slices)
 * and by the code that decides there. Holds as much in memory as one activity does.
 * @param items all of the batch, by index.
 * @param deadline in ms since 1970.
 * @returns the outcome that each item would have now, by index.
 * @throws DroverError `preview_timeout` after the deadline.
 */
export async function previewWrites(
  parts: PreviewParts,
  batch: DecidedBatch,
  schema: LoadedSchema,
  items: readonly Item[],
  deadline: number = Date.now() + MAX_DRY_RUN_MS,
): Promise<ReadonlyMap<number, StoredOutcome>> {
  let since = performance.now();
  const atYield = async (): Promise<void> => {
    assertInTime(deadline);
    if (performance.now() - since < YIELD_AFTER_MS) return;
    await setImmediate();
    since = performance.now();
  };
  const run: Preview['run'] = (decision) => runYielding(decision, atYield);
  const preview = { parts, batch, schema, deadline, outcomes: new Map(), created: new Set<ResourceKey>(), run };
  const { stages } = await planItems(parts, batch, schema, {
    indexes: items.map(({ index }) => index),
    externalIds: async () => new Map(items.map(({ index, externalId }) => [index, externalId])),
    items: async () => items,
  });
  for (const indexes of stages.flat())
    await decideChunk(
      preview,
      indexes.flatMap((index) => items[index] ?? []),
    );
  return preview.outcomes;
}

function assertInTime(deadline: number): void {
  if (Date.now() > deadline) throw new DroverError('preview_timeout', TOO_LATE);
}

/** Decides what one activity would apply. */
async function decideChunk(preview: Preview, items: readonly Item[]): Promise<void> {
  const { parts, batch, schema, deadline, outcomes, created } = preview;
  assertInTime(deadline);
  const { work, faulty } = await toWorkItems(parts, batch, schema, items, NONE);
  for (const [index, errors] of faulty) outcomes.set(index, failedOutcome(undefined, errors));
  const states = new Map<ResourceKey, ResourceState>();
  for (const { _id, data, version } of await seenResources(parts.database, keysOf(work)))
    states.set(_id, { data, version });
  const present = await targetsOf(preview, work);
  const exists = (key: ResourceKey): boolean => states.has(key) || created.has(key) || present.has(key);
  for (const slice of indivisibleSlices(work, () => RESOURCES_PER_SLICE)) {
    for (const [key, state] of await decideSlice(preview, slice, states, exists)) {
      states.set(key, state);
      created.add(key);
    }
  }
}

const NONE: ReadonlyMap<number, StoredOutcome> = new Map();

const keysOf = (work: readonly DecidedItem[]): ResourceKey[] => [...new Set(work.map(({ key }) => key))];

/** The targets of references that exist, of those outside of the items. */
async function targetsOf(
  { parts: { database, alsoPresent } }: Preview,
  work: readonly DecidedItem[],
): Promise<Set<ResourceKey>> {
  const own = new Set(keysOf(work));
  const targets = new Set(work.flatMap(({ references }) => references.map(({ key }) => key)));
  const present = new Set<ResourceKey>();
  for (const some of keyParts(
    [...targets].filter((key) => !own.has(key)),
    KEYS_AT_ONCE,
  )) {
    for (const key of await presentKeys(database, some)) present.add(key);
    for (const key of (await alsoPresent?.(some.filter((one) => !present.has(one)))) ?? []) present.add(key);
  }
  return present;
}

/** @returns the resources that its items would change. */
async function decideSlice(
  { parts: { schemas }, batch, deadline, outcomes, run }: Preview,
  slice: readonly DecidedItem[],
  states: ReadonlyMap<ResourceKey, ResourceState>,
  exists: (key: ResourceKey) => boolean,
): Promise<ReadonlyMap<ResourceKey, ResourceState>> {
  const budget = { threadMs: deadline - Date.now(), inThreadOnly: false, run };
  const all = (_: unknown, open: readonly DecidedItem[]) => new Set(open);
  const { decided, postponed } = await decideWithinBudget(schemas, budget, slice, states, exists, all);
  if (postponed.size > 0) throw new DroverError('preview_timeout', TOO_LATE);
  for (const [item, decision] of decided.decisions) outcomes.set(item.index, toOutcome(batch, item, decision));
  return decided.changed;
}
