import { setImmediate } from 'node:timers/promises';
import type { Undo } from '../../domain/batch/batch.ts';
import { RESOURCES_PER_SLICE } from '../../domain/batch/plan-chunks.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { stronglyConnectedComponents } from '../../domain/collections/components.ts';
import { type Computation, runYielding } from '../../domain/collections/run-yielding.ts';
import { decideDeletion } from '../../domain/delete/decide-deletion.ts';
import { DroverError } from '../../domain/errors.ts';
import { MAX_DRY_RUN_MS } from '../../domain/limits.ts';
import { indivisibleSlices } from '../../domain/schema/indivisible.ts';
import { isInState, type UndoEntry } from '../../domain/undo/undo-entry.ts';
import { CHANGED_SINCE, type ResourceState } from '../../domain/write/decide-writes.ts';
import { parseResourceKey, type ResourceKey } from '../../domain/write/resource.ts';
import { visibleReferrers } from '../../isolation/resources/reference-graph.ts';
import { presentKeys, seenResources } from '../../isolation/resources/targets.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { imageId, readImageLinks } from '../../store/items/before-images.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { SchemaCatalog } from '../definitions/schema-catalog.ts';
import { schemaNamesOf } from '../definitions/schema-names.ts';
import { referencedError } from '../deletes/deletion-errors.ts';
import type { MemoryAllowance } from '../deletes/memory-allowance.ts';
import { decideWithinBudget } from '../writes/decide-within-budget.ts';
import type { DecidedItem } from '../writes/work-items.ts';
import { toOutcome } from '../writes/write-outcome.ts';
import { type Restored, toRestore } from './restored-items.ts';
import { assertCanBeUndone } from './undo-batch.ts';
import { itemsToUndo } from './undo-items.ts';
import { UndoneState } from './undone-state.ts';

const TOO_LATE = `the dry run takes longer than ${MAX_DRY_RUN_MS / 1000} s; the undo itself has no such limit`;
/** Memory of an entry with its outcome, and of a referrer, in bytes, as estimated. */
const BYTES_PER_ENTRY = 2_000;
const BYTES_PER_REFERRER = 500;
/** Share of an entry with its outcome that is released when the undo is decided; when it is decided again, all of it: its outcome is charged already. */
const ENTRY_SHARE = 0.5;
/** Of a reference of a state before, or of a resource as it would be written. */
const BYTES_PER_REFERENCE = 300;

export interface PreviewServices {
  readonly database: Database;
  readonly schemas: SchemaCatalog;
  readonly planningMemory: MemoryAllowance;
}

/** An undo as far as it is decided. */
interface Preview {
  readonly services: PreviewServices;
  readonly undo: Scope & Undo;
  readonly entries: readonly UndoEntry[];
  readonly outcomes: Map<number, StoredOutcome>;
  /** What this undo, and others before it, would have changed. */
  readonly state: UndoneState;
  readonly charge: (bytes: number) => void;
  readonly deadline: number;
}

/** The items of an undo, as a dry run names them, and what would become of them. */
interface PreviewedUndo {
  readonly items: { readonly index: number; readonly externalId: string }[];
  readonly outcomes: Map<number, StoredOutcome>;
}

/** What undos that are decided one after the other share. */
export interface SharedPreview extends Pick<Preview, 'state' | 'charge' | 'deadline'> {}

/**
 * Decides an undo on the resources as readers see them, and changes nothing: first what would be written, then what would be removed, by the code that
 * decides in the real run.
 * @throws DroverError `preview_timeout` after the deadline; MemoryExceededError if the batch has too many effects.
 */
export async function previewUndo(
  services: PreviewServices,
  batch: BatchDocument,
  deadline: number = Date.now() + MAX_DRY_RUN_MS,
): Promise<PreviewedUndo> {
  assertCanBeUndone(batch);
  return services.planningMemory.lend((charge) =>
    decideUndo(services, batch, { state: new UndoneState(), charge, deadline }),
  );
}

/** Decides an undo after others. @param outcomes of items that are decided already: they stay. */
export async function decideUndo(
  services: PreviewServices,
  batch: BatchDocument,
  { state, charge, deadline }: SharedPreview,
  outcomes: ReadonlyMap<number, StoredOutcome> = new Map(),
): Promise<PreviewedUndo> {
  const entries: UndoEntry[] = [];
  let own = 0;
  for await (const page of itemsToUndo(services.database, batch)) {
    await progress(deadline);
    own += page.length * BYTES_PER_ENTRY;
    charge(page.length * BYTES_PER_ENTRY);
    for (const { undo } of page) if (undo !== undefined) entries.push(undo);
  }
  const { platform, tenant, schemaDefinitionId = '', schemaName = '' } = batch;
  const undo = {
    platform,
    tenant,
    schemaDefinitionId,
    schemaName,
    operation: 'undo',
    options: { undoOf: batch._id },
  } as const;
  const preview: Preview = { services, undo, entries, outcomes: new Map(outcomes), state, charge, deadline };
  await decideWritten(preview);
  await decideRemoved(preview);
  decideOthers(preview);
  // outcomes stay, entries do not
  charge(-own * (outcomes.size > 0 ? 1 : ENTRY_SHARE));
  return {
    items: entries.map(({ key }, index) => ({ index, externalId: parseResourceKey(key).externalId })),
    outcomes: preview.outcomes,
  };
}

/** @throws DroverError `preview_timeout` after the deadline. */
export function assertInTime(deadline: number): void {
  if (Date.now() > deadline) throw new DroverError('preview_timeout', TOO_LATE);
}

async function progress(deadline: number): Promise<void> {
  assertInTime(deadline);
  await setImmediate();
}

const isLeader = ({ leader }: UndoEntry): boolean => leader === undefined;

/** Restores and recreations, targets of references first. */
async function decideWritten(preview: Preview): Promise<void> {
  const {
    services: { database },
    undo,
    entries,
    outcomes,
    charge,
    deadline,
  } = preview;
  let referred = 0;
  const byKey = new Map<ResourceKey, Restored & { key: ResourceKey; references: { key: ResourceKey }[] }>();
  for (const some of parts([...entries.entries()])) {
    const own = some.filter(
      ([index, entry]) =>
        entry.before !== undefined && isLeader(entry) && !outcomes.has(index) && !byKey.has(entry.key),
    );
    const names = own.map(([, { before }]) => imageId(undo.options.undoOf, before ?? { id: '', version: 0 }));
    const links = await readImageLinks(database, names);
    for (const [at, [index, entry]] of own.entries()) {
      const references = (links.get(names[at] ?? '')?.references ?? []).map((key) => ({ key }));
      referred += references.length * BYTES_PER_REFERENCE;
      charge(references.length * BYTES_PER_REFERENCE);
      byKey.set(entry.key, { index, entry, outcome: undefined, key: entry.key, references });
    }
    await progress(deadline);
  }
  const ordered = stronglyConnectedComponents(byKey.keys(), (key) =>
    (byKey.get(key)?.references ?? []).map((one) => one.key),
  );
  const items = ordered.flat().flatMap((key) => byKey.get(key) ?? []);
  for (const slice of indivisibleSlices(items, () => RESOURCES_PER_SLICE)) await decideSlice(preview, slice);
  charge(-referred);
}

async function decideSlice(
  { services, undo, outcomes, state, charge, deadline }: Preview,
  slice: readonly Restored[],
): Promise<void> {
  const { database, schemas } = services;
  const { work, refused } = await toRestore(services, undo, slice);
  for (const [index, outcome] of refused) outcomes.set(index, outcome);
  const own = work.map(({ key }) => key);
  const states = new Map<ResourceKey, ResourceState>();
  for (const { _id, id, data, version, restored } of await seenResources(database, own))
    states.set(_id, { id, data, version, restored });
  for (const key of own) {
    const changed = state.of(key);
    if (changed === null) states.delete(key);
    // its data does not count: it is replaced, or stays
    else if (changed !== undefined) states.set(key, { ...changed, data: {} });
  }
  const targets = new Set(work.flatMap(({ references }) => references.map(({ key }) => key)));
  const present = new Set<ResourceKey>();
  for (const some of parts([...targets])) for (const key of await presentKeys(database, some)) present.add(key);
  const run = <T>(decision: Computation<T>): Promise<T> => runYielding(decision, () => progress(deadline));
  const { decided, postponed } = await decideWithinBudget(
    schemas,
    { threadMs: deadline - Date.now(), inThreadOnly: false, run },
    work,
    states,
    (key) => {
      const changed = state.of(key);
      return changed === undefined ? states.has(key) || present.has(key) : changed !== null;
    },
    (_, open) => new Set(open),
  );
  if (postponed.size > 0) throw new DroverError('preview_timeout', TOO_LATE);
  for (const [item, decision] of decided.decisions) {
    outcomes.set(item.index, toOutcome(undo, item, decision));
    if (decision.kind !== 'written') continue;
    charge(item.references.length * BYTES_PER_REFERENCE);
    state.write(item.key, stateAfter(item, states.get(item.key), decision.version));
  }
}

/** A resource that is taken back to an earlier state. */
const stateAfter = (
  { restoring, references }: DecidedItem<Scope & Undo>,
  before: ResourceState | undefined,
  version: number,
) => ({
  id: before?.id ?? restoring?.id ?? '',
  version,
  ...(restoring && { restored: { at: version, version: restoring.versionOfData } }),
  references: references.map(({ key }) => key),
});

/** What was created, after everything is written. */
async function decideRemoved(preview: Preview): Promise<void> {
  const { services, entries, outcomes, state, charge, deadline } = preview;
  const { database } = services;
  const targets = new Map<ResourceKey, number>();
  const created = [...entries.entries()].filter(
    ([index, entry]) => entry.kind === 'remove' && isLeader(entry) && !outcomes.has(index),
  );
  for (const some of parts(created)) {
    const found = await seenResources(
      database,
      some.map(([, { key }]) => key),
    );
    const now = new Map(found.map((resource) => [resource._id, resource]));
    for (const [index, { key, expects }] of some) {
      const changed = state.of(key);
      const found = changed === undefined ? now.get(key) : (changed ?? undefined);
      if (found !== undefined && isInState(found, expects)) targets.set(key, index);
      else outcomes.set(index, { status: 'skipped', errors: [CHANGED_SINCE], attempts: 1 });
    }
    await progress(deadline);
  }
  const references = new Map<ResourceKey, readonly ResourceKey[]>();
  for (const some of parts([...targets.keys()])) {
    for await (const page of visibleReferrers(database, some)) {
      await progress(deadline);
      charge(page.length * BYTES_PER_REFERRER);
      for (const vertex of page)
        if (state.of(vertex._id) === undefined)
          references.set(
            vertex._id,
            vertex.references.filter((key) => targets.has(key)),
          );
    }
  }
  for (const [key, own] of state.referrersOf(targets.keys()))
    references.set(
      key,
      own.filter((target) => targets.has(target)),
    );
  const { kept } = decideDeletion({ targets: [...targets.keys()], references }, false);
  const names = await schemaNamesOf(database, [...kept].flat(2));
  for (const [key, index] of targets) {
    const referrers = kept.get(key);
    if (referrers === undefined) state.remove(key);
    outcomes.set(
      index,
      referrers === undefined
        ? { status: 'succeeded', action: 'reverted', attempts: 1 }
        : { status: 'skipped', errors: [referencedError(key, referrers, names)], attempts: 1 },
    );
  }
}

/** Items that another one acts for, and those whose effect is gone already. */
function decideOthers({ entries, outcomes }: Preview): void {
  for (const [index, { leader }] of entries.entries()) {
    if (outcomes.has(index)) continue;
    const led = leader === undefined ? undefined : outcomes.get(leader);
    outcomes.set(index, led ? { ...led, repeat: true } : { status: 'skipped', errors: [CHANGED_SINCE], attempts: 1 });
  }
}
