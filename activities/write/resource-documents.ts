import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { isUndoable } from '../../domain/batch/batch.ts';
import { isOpen } from '../../domain/batch/outcome.ts';
import { scopeKey } from '../../domain/batch/scope.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import { storedBytes } from '../../domain/json/stored.ts';
import { namesIn } from '../../domain/schema/references.ts';
import type { NewResourceState, WriteDecisions } from '../../domain/write/decide-writes.ts';
import { type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import type { LoadedSchema } from '../../services/definitions/schema-catalog.ts';
import type { WorkItem } from '../../services/writes/work-items.ts';
import { finishedBatches, readBatches } from '../../store/batches/batches.ts';
import { type BeforeImage, imageOf } from '../../store/items/before-images.ts';
import { readOutcomes } from '../../store/items/outcomes.ts';
import type { ResourceDocument, WriteEntry } from '../../store/resources.ts';
import type { ActivityContext } from '../activity-context.ts';

/** The documents that result from decisions, with the record of the items that made them. */
export async function toDocuments(
  context: ActivityContext,
  items: readonly WorkItem[],
  { decisions, changed }: WriteDecisions<WorkItem>,
  own: ReadonlyMap<ResourceKey, ResourceDocument>,
): Promise<ResourceDocument[]> {
  if (changed.size === 0) return [];
  const before = [...changed.keys()].flatMap((key) => own.get(key) ?? []);
  const finished = await finishedWriters(context, before);
  const withOutcome = await entriesWithOutcome(context, before, finished);
  const writers = new Map<ResourceKey, WorkItem[]>();
  for (const item of items) {
    if (!changed.has(item.key)) continue;
    appendTo(writers, item.key, item);
  }
  const bound = await boundTargets(context, items);
  const now = new Date();
  const newId = idMaker(changed.size);
  const documents: ResourceDocument[] = [];
  for (const [key, state] of changed) {
    const from = own.get(key);
    const applied = writers.get(key) ?? [];
    const [first] = applied;
    if (first === undefined) throw new Error('a change without an item');
    documents.push({
      _id: key,
      id: from?.id ?? first.restoring?.id ?? newId(),
      scope: scopeKey(first.batch),
      schemaDefinitionId: first.schema.definition.id,
      schemaName: first.schema.definition.name,
      externalId: first.externalId,
      data: state.data,
      bytes: state.bytes,
      references: referenceKeys(first, state, bound.get(first.schema)),
      version: state.version,
      ...(state.restored !== undefined && { restored: state.restored }),
      createdAt: from?.createdAt ?? first.restoring?.createdAt ?? now,
      // never earlier than the version before, whose writer's clock may be ahead
      updatedAt: from !== undefined && from.updatedAt > now ? from.updatedAt : now,
      writes: [
        ...(from?.writes ?? []).filter((entry) => !finished.has(entry.batchId) && !withOutcome.has(entry)),
        ...applied.flatMap((item): WriteEntry[] => {
          const decision = decisions.get(item);
          if (decision?.kind !== 'written') return [];
          return [{ batchId: item.batch._id, index: item.index, version: decision.version, action: decision.action }];
        }),
      ],
    });
  }
  return documents;
}

/** The states that items of undoable batches replace: for each resource and batch the first one, from which the others follow. */
export function replacedStates(
  items: readonly WorkItem[],
  { replaced }: WriteDecisions<WorkItem>,
  documents: readonly ResourceDocument[],
): BeforeImage[] {
  const undoable = items.filter(({ batch }) => isUndoable(batch));
  if (undoable.length === 0) return [];
  const written = new Map(documents.map((document) => [document._id, document]));
  const images = new Map<string, BeforeImage>();
  for (const item of undoable) {
    const [before, document] = [replaced.get(item), written.get(item.key)];
    const name = `${item.batch._id}/${item.key}`;
    // a state that was decided, but not stored, may be decided in another way: it is not kept, and its item is not undone
    if (before?.id === undefined || document === undefined || images.has(name)) continue;
    const { data, version, restored } = before;
    const { restored: _, ...rest } = document;
    const state = { ...rest, data, version, ...(restored && { restored }), bytes: storedBytes(data), references: [] };
    images.set(name, imageOf(item.batch._id, state));
  }
  return [...images.values()];
}

const UUID_BYTES = 16;

/** UUIDs from random bytes that are drawn once: drawing them for each would take longer than everything else in making a document. */
function idMaker(count: number): () => string {
  const random = randomBytes(count * UUID_BYTES);
  let used = 0;
  return () => {
    used += UUID_BYTES;
    return uuidv7({ random: random.subarray(used - UUID_BYTES, used) });
  };
}

/** Batches whose entries may be removed from the write records, because they are over. */
async function finishedWriters(
  { database }: ActivityContext,
  documents: readonly ResourceDocument[],
): Promise<Set<string>> {
  return finishedBatches(database, [
    ...new Set(documents.flatMap((document) => document.writes.map((entry) => entry.batchId))),
  ]);
}

/** Number of entries in a record from which entries of running batches are removed too. */
const MAX_ENTRIES = 200;

/**
 * Entries of running batches whose items have their outcome stored: a later attempt on such an item finds the outcome (invariant 2).
 * Searched only if a record is long: a batch may wait for a day, and any number of batches may have written the resource meanwhile.
 */
async function entriesWithOutcome(
  { database }: ActivityContext,
  documents: readonly ResourceDocument[],
  finished: ReadonlySet<string>,
): Promise<Set<WriteEntry>> {
  const long = documents.filter(({ writes }) => writes.length > MAX_ENTRIES);
  const entries = long.flatMap(({ writes }) => writes.filter(({ batchId }) => !finished.has(batchId)));
  const withOutcome = new Set<WriteEntry>();
  for (const batch of await readBatches(database, [...new Set(entries.map(({ batchId }) => batchId))])) {
    const own = entries.filter(({ batchId }) => batchId === batch._id);
    const outcomes = await readOutcomes(
      database,
      batch,
      own.map(({ index }) => index),
    );
    for (const entry of own) if (!isOpen(outcomes.get(entry.index)?.status)) withOutcome.add(entry);
  }
  return withOutcome;
}

/** Lower-case name or id of a schema definition -> the definition, of those that exist. */
type BoundTargets = Awaited<ReturnType<ActivityContext['schemas']['bind']>>;

/** The targets of the schemas of items: items of several batches may be written together. */
async function boundTargets(
  { schemas }: ActivityContext,
  items: readonly WorkItem[],
): Promise<Map<LoadedSchema, BoundTargets>> {
  const bound = new Map<LoadedSchema, BoundTargets>();
  for (const schema of new Set(items.map((item) => item.schema))) {
    bound.set(schema, await schemas.bind(schema.definition, namesIn(schema.compiled.referenceFields)));
  }
  return bound;
}

/** Identities that the whole resource refers to, each once. */
function referenceKeys(
  { batch }: WorkItem,
  { references }: NewResourceState,
  bound: BoundTargets | undefined,
): ResourceKey[] {
  const keys = references.flatMap(({ target, externalId }) => {
    const definition = bound?.get(target.toLowerCase());
    return definition ? [resourceKey(batch, definition.id, externalId)] : [];
  });
  return [...new Set(keys)];
}
