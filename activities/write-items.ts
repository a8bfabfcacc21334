import { v7 as uuidv7 } from 'uuid';
import { stronglyConnectedComponents } from '../domain/components.ts';
import { decideWrites, type ResourceState, type WriteDecision } from '../domain/decide-writes.ts';
import type { ResourceKey } from '../domain/resource.ts';
import { referencesIn } from '../domain/schema-references.ts';
import { scopeKey } from '../domain/scope.ts';
import { settledBatches } from '../store/batches.ts';
import { commitGroup, forgetGroups } from '../store/commits.ts';
import {
  insertResources,
  type ResourceDocument,
  type ResourceUpdate,
  readResources,
  readTargets,
  unhide,
  updateResources,
  visible,
  type WriteEntry,
} from '../store/resources.ts';
import { blocked, type Delivery } from './delivery.ts';
import type { Dependencies } from './dependencies.ts';
import type { LoadedSchema } from './schema-catalog.ts';
import type { WorkItem } from './work-items.ts';

/** Decisions made again after somebody else's write came in between, before the activity starts afresh. */
const MAX_ROUNDS = 30;

export interface WriteContext {
  readonly dependencies: Dependencies;
  readonly delivery: Delivery;
  /** Group that the members of a cycle appear with. The same in every delivery of one activity. */
  readonly group: string;
  readonly schemas: ReadonlyMap<string, LoadedSchema>;
}

/**
 * Decides items on what is stored and writes what succeeds; whose intent covers all their references must be laid before.
 * Each round reads, decides, and writes over exactly what it read (invariants 3 and 4); effects of an earlier delivery are
 * recognized by their entries (invariant 2). Members of a cycle are inserted hidden and appear at one moment.
 * @returns a final decision for every item.
 * @throws a retryable failure while something that an item needs is being deleted or created by others.
 */
export async function writeItems(context: WriteContext, items: readonly WorkItem[]): Promise<Map<WorkItem, WriteDecision>> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const look = await lookAt(context, items);
    const outcome = await writeRound(context, items, look);
    if (outcome !== null) return outcome;
  }
  throw blocked('others keep writing to the same resources');
}

interface Look {
  readonly own: ReadonlyMap<ResourceKey, ResourceDocument>;
  /** Keys whose resource readers see and that nobody is deleting. */
  readonly present: ReadonlySet<ResourceKey>;
  /** Keys that somebody else is creating or deleting right now. */
  readonly unsettled: ReadonlySet<ResourceKey>;
}

async function lookAt({ dependencies: { database, checkpoint }, group }: WriteContext, items: readonly WorkItem[]): Promise<Look> {
  const keys = [...new Set(items.map((item) => item.key))];
  const own = await readResources(database, keys);
  const targets = [...new Set(items.flatMap((item) => item.references.map((reference) => reference.key)))];
  const others = await readTargets(database, targets.filter((key) => !own.has(key)));
  const marked = [...own.values(), ...others.values()];
  const seen = await visible(database, marked);
  await checkpoint?.('looked', items[0]?.batch._id ?? '');
  const unsettled = marked.filter((document) => document.leaving !== undefined || (document.hidden !== undefined && document.hidden !== group));
  return {
    own,
    present: new Set(seen.filter((document) => document.leaving === undefined).map((document) => document._id)),
    unsettled: new Set(unsettled.map((document) => document._id)),
  };
}

/** One attempt to bring all items to their decision; null where the look was overtaken. */
async function writeRound(
  context: WriteContext,
  items: readonly WorkItem[],
  look: Look,
): Promise<Map<WorkItem, WriteDecision> | null> {
  const { dependencies, delivery, group } = context;
  const { database, checkpoint } = dependencies;
  const batchId = items[0]?.batch._id ?? '';
  const decisions = new Map<WorkItem, WriteDecision>();
  const open: WorkItem[] = [];
  for (const item of items) {
    const entry = ownEntry(look.own.get(item.key), item);
    if (entry) decisions.set(item, { kind: 'written', action: entry.action, version: entry.version });
    else open.push(item);
  }
  const waiting = touchesUnsettled(open, look);
  const ready = open.filter((item) => !waiting.has(item));
  const stored = storedStates(look, group);
  const decided = decideWrites(ready, stored, (key) => look.present.has(key) || stored.has(key));
  for (const [item, decision] of decided.decisions) decisions.set(item, decision);

  const inserts: ResourceDocument[] = [];
  const updates: ResourceUpdate[] = [];
  const settled = await settledWriters(context, look, decided.changed.keys());
  for (const [key, state] of decided.changed) {
    const document = toDocument(context, key, state, ready, decided.decisions, look.own.get(key), settled);
    const from = look.own.get(key);
    if (from === undefined) inserts.push(document);
    else updates.push({ from, to: document });
  }
  delivery.assertInTime();
  const ours = [...look.own.values()].filter((document) => document.hidden === group);
  const { ordered, cyclic } = insertionOrder(inserts, ours.length > 0);
  const documents = cyclic ? ordered.map((document) => ({ ...document, hidden: group })) : ordered;
  const inserted = await insertResources(database, documents);
  await checkpoint?.('inserted', batchId);
  if (inserted.size < documents.length) return null;
  // Nothing of a cycle is seen before all of it is there (invariant 3).
  if (waiting.size > 0) throw blocked('a resource that an item needs is being created or deleted');
  const hiddenKeys = [...(cyclic ? documents : []), ...ours].map((document) => document._id);
  if (hiddenKeys.length > 0) {
    await commitGroup(database, group);
    await unhide(database, group, hiddenKeys);
    await forgetGroups(database, [group]);
  }
  const updated = await updateResources(database, updates);
  await checkpoint?.('written', batchId);
  return updated ? decisions : null;
}

function ownEntry(document: ResourceDocument | undefined, item: WorkItem): WriteEntry | undefined {
  return document?.writes.find((entry) => entry.batchId === item.batch._id && entry.index === item.index);
}

/** What exists for the items' own batch: what readers see, and what its own group has inserted hidden. */
function storedStates(look: Look, group: string): Map<ResourceKey, ResourceState> {
  const states = new Map<ResourceKey, ResourceState>();
  for (const [key, document] of look.own) {
    if (!look.present.has(key) && document.hidden !== group) continue;
    states.set(key, { data: JSON.parse(document.data), version: document.version });
  }
  return states;
}

/** Items that cannot be decided yet: on, or referring to, something unsettled, directly or through each other. */
function touchesUnsettled(items: readonly WorkItem[], look: Look): Set<WorkItem> {
  const waiting = new Set<WorkItem>();
  if (look.unsettled.size === 0) return waiting;
  const keys = new Set(look.unsettled);
  for (let before = -1; before < waiting.size; ) {
    before = waiting.size;
    for (const item of items) {
      if (waiting.has(item)) continue;
      if (keys.has(item.key) || item.references.some((reference) => keys.has(reference.key) && !look.present.has(reference.key))) {
        waiting.add(item);
        keys.add(item.key);
      }
    }
  }
  return waiting;
}

/** Batches whose entries may leave the record of what is about to be written: they are over. */
async function settledWriters(context: WriteContext, look: Look, keys: Iterable<ResourceKey>): Promise<Set<string>> {
  const writers = new Set<string>();
  for (const key of keys) for (const entry of look.own.get(key)?.writes ?? []) writers.add(entry.batchId);
  return settledBatches(context.dependencies.database, [...writers]);
}

function toDocument(
  context: WriteContext,
  key: ResourceKey,
  state: ResourceState,
  items: readonly WorkItem[],
  decisions: ReadonlyMap<WorkItem, WriteDecision>,
  from: ResourceDocument | undefined,
  settled: ReadonlySet<string>,
): ResourceDocument {
  const applied = items.filter((item) => item.key === key);
  const [first] = applied;
  if (first === undefined) throw new Error('a change without an item');
  const writes = applied.flatMap((item): WriteEntry[] => {
    const decision = decisions.get(item);
    if (decision?.kind !== 'written') return [];
    return [{ batchId: item.batch._id, index: item.index, version: decision.version, action: decision.action }];
  });
  const now = new Date();
  return {
    _id: key,
    id: from?.id ?? uuidv7(),
    scope: scopeKey(first.batch),
    schemaDefinitionId: first.batch.schemaDefinitionId,
    externalId: first.externalId,
    data: JSON.stringify(state.data),
    references: storedReferences(context, first, state, items, from),
    version: state.version,
    createdAt: from?.createdAt ?? now,
    updatedAt: now,
    writes: [...(from?.writes ?? []).filter((entry) => !settled.has(entry.batchId)), ...writes],
  };
}
