import type { ItemAction, ItemError } from '../batch/outcome.ts';
import { appendTo } from '../collections/append-to.ts';
import type { Computation } from '../collections/run-yielding.ts';
import { quoted, shortened } from '../json/shortened.ts';
import { storedBytes } from '../json/stored.ts';
import { largestField, mergeFields, sameJson, withoutFields } from '../json/text.ts';
import { MAX_ERRORS_PER_ITEM, MAX_REFERENCES, MAX_RESOURCE_BYTES } from '../limits.ts';
import type { CompiledSchema } from '../schema/compiler.ts';
import { isInState, type RestoredVersion, type StateName } from '../undo/undo-entry.ts';
import { type FoundReference, mostReferringField, referencesIn } from './references-in.ts';
import { type JsonObject, parseResourceKey, type ResourceKey } from './resource.ts';

/** How the items of one batch are applied. */
export interface WriteRules {
  readonly operation: 'upload' | 'patch';
  /** Uploads: what happens to an item whose resource exists. */
  readonly onconflict: 'upsert' | 'reject';
  readonly ignoreUnknownFields: boolean;
  readonly schema: CompiledSchema;
}

/** A reference in an item's body, bound to an identity. */
export interface BoundReference {
  readonly key: ResourceKey;
  /** Describes its place (`fieldOf`). */
  readonly place: FoundReference['place'];
  /** Absent if the schema definition that it names does not exist. */
  readonly schemaDefinitionId?: string;
  readonly schemaName: string;
  readonly externalId: string;
}

/** The part of an item that takes the resource back to an earlier state: its body replaces whatever is there. */
interface Restoring {
  /** The state that the resource has to have: its life and version; null: it does not exist. */
  readonly expects: StateName | null;
  /** The version that it had in the earlier state, and the one whose data that was. */
  readonly version: number;
  readonly versionOfData: number;
  /** The life of the earlier state, and its beginning. */
  readonly id: string;
  readonly createdAt: Date;
}

/** One item that is to be written. Items of one key are given in the order in which they are applied. */
export interface WriteItem {
  readonly key: ResourceKey;
  readonly body: JsonObject;
  readonly references: readonly BoundReference[];
  readonly rules: WriteRules;
  /** Of an undo. */
  readonly restoring?: Restoring;
}

export interface ResourceState {
  readonly data: JsonObject;
  readonly version: number;
  /** Its life; absent: the resource is decided, but not stored yet. */
  readonly id?: string;
  /** Of a state that an undo has made. */
  readonly restored?: RestoredVersion | undefined;
}

/** A resource as it will be stored. */
export interface NewResourceState extends ResourceState {
  /** Bytes of `data` as BSON. */
  readonly bytes: number;
  /** The references of `data`. */
  readonly references: readonly FoundReference[];
}

export type WriteDecision =
  | { readonly kind: 'failed' | 'skipped'; readonly errors: readonly ItemError[] }
  | { readonly kind: 'missing'; readonly missing: readonly BoundReference[] }
  | { readonly kind: 'written'; readonly action: ItemAction; readonly version: number };

/**
 * Finds the faults of the resource that an item would make; null if they are not known yet. Then the item is decided as if
 * there were none, and the caller decides again once they are known.
 */
type Judge<T extends WriteItem = WriteItem> = (item: T, data: JsonObject) => readonly ItemError[] | null;

const judgeAtOnce: Judge = (item, data) => item.rules.schema.faults(data);

export interface WriteDecisions<T extends WriteItem> {
  readonly decisions: ReadonlyMap<T, WriteDecision>;
  /** The resource of each key after its items are applied; only keys that change. */
  readonly changed: ReadonlyMap<ResourceKey, NewResourceState>;
  /** The state that each item which updates a resource replaces. */
  readonly replaced: ReadonlyMap<T, ResourceState>;
}

interface Sequence {
  readonly decisions: Map<WriteItem, WriteDecision>;
  readonly replaced: Map<WriteItem, ResourceState>;
  readonly state: ResourceState | NewResourceState | undefined;
}

/** The decision on one item, and its resource afterwards. */
interface Applied {
  readonly decision: WriteDecision;
  readonly state: Sequence['state'];
}

/**
 * Decides items together, and yields after each item that it has applied: each has to be valid with the stored resource and the items before it, and the target of each reference has to be stored or created
 * by an item that succeeds, in any order, cycles included (the largest set of items that support each other).
 * @param stored the existing resources of the items' keys.
 * @param exists whether a key outside the items exists.
 * @param judge finds faults against the schema; by default immediately.
 */
export function* decidingWrites<T extends WriteItem>(
  items: readonly T[],
  stored: ReadonlyMap<ResourceKey, ResourceState>,
  exists: (key: ResourceKey) => boolean,
  judge: Judge<T> = judgeAtOnce,
): Computation<WriteDecisions<T>> {
  const held = new Map<T, WriteDecision>();
  const byKey = groupByKey(items);
  const sequences = new Map<ResourceKey, Sequence>();
  let stale: Iterable<ResourceKey> = byKey.keys();
  for (;;) {
    for (const key of stale)
      sequences.set(key, yield* applySequence(byKey.get(key) ?? [], stored.get(key), held, judge));
    const provided = (key: ResourceKey): boolean => sequences.get(key)?.state !== undefined || exists(key);
    const newlyHeld = new Set<ResourceKey>();
    for (const item of items) {
      if (held.has(item) || sequences.get(item.key)?.decisions.get(item)?.kind !== 'written') continue;
      const missing = item.references.filter((reference) => !provided(reference.key));
      if (missing.length === 0) continue;
      held.set(item, { kind: 'missing', missing });
      newlyHeld.add(item.key);
    }
    if (newlyHeld.size === 0) {
      // an item that was held early may also miss the resource of one that was held later; no item has to wait for itself
      for (const item of held.keys()) {
        const missing = item.references.filter(({ key }) => key !== item.key && !provided(key));
        held.set(item, { kind: 'missing', missing });
      }
      return collect(items, sequences, held);
    }
    stale = newlyHeld;
  }
}

function groupByKey<T extends WriteItem>(items: readonly T[]): Map<ResourceKey, T[]> {
  const groups = new Map<ResourceKey, T[]>();
  for (const item of items) {
    appendTo(groups, item.key, item);
  }
  return groups;
}

function collect<T extends WriteItem>(
  items: readonly T[],
  sequences: ReadonlyMap<ResourceKey, Sequence>,
  held: ReadonlyMap<T, WriteDecision>,
): WriteDecisions<T> {
  const decisions = new Map<T, WriteDecision>();
  for (const item of items) {
    const decision = held.get(item) ?? sequences.get(item.key)?.decisions.get(item);
    if (decision === undefined) throw new Error('an item was not decided');
    decisions.set(item, decision);
  }
  const changed = new Map<ResourceKey, NewResourceState>();
  for (const [key, { state }] of sequences) if (state !== undefined && 'bytes' in state) changed.set(key, state);
  const replaced = new Map<T, ResourceState>();
  for (const item of items) {
    const before = held.has(item) ? undefined : sequences.get(item.key)?.replaced.get(item);
    if (before !== undefined) replaced.set(item, before);
  }
  return { decisions, changed, replaced };
}

/** Applies the items of one key one after the other; an invalid item fails alone. */
function* applySequence<T extends WriteItem>(
  items: readonly T[],
  stored: ResourceState | undefined,
  held: ReadonlyMap<T, WriteDecision>,
  judge: Judge<T>,
): Computation<Sequence> {
  const decisions = new Map<WriteItem, WriteDecision>();
  const replaced = new Map<WriteItem, ResourceState>();
  let state: Sequence['state'] = stored;
  for (const item of items) {
    if (held.has(item)) continue;
    const applied: Applied = applyItem(item, state, judge);
    decisions.set(item, applied.decision);
    if (state !== undefined && applied.state !== state) replaced.set(item, state);
    state = applied.state;
    yield;
  }
  return { decisions, replaced, state };
}

function applyItem<T extends WriteItem>(item: T, state: Sequence['state'], judge: Judge<T>): Applied {
  if (item.restoring !== undefined) return restore(item, item.restoring, state, judge);
  const { key, body, rules } = item;
  const failed = (...errors: ItemError[]) => ({ decision: { kind: 'failed' as const, errors }, state });
  if (rules.operation === 'patch' && state === undefined) {
    return failed({ code: 'not_found', message: 'there is no such resource to patch' });
  }
  if (rules.operation === 'upload' && rules.onconflict === 'reject' && state !== undefined) {
    return failed({ code: 'conflict', message: 'the resource exists already' });
  }
  const unknown = rules.schema.unknownFields(body);
  if (unknown.length > 0 && !rules.ignoreUnknownFields) {
    return failed(...faultsOf(unknown, 'unknown_field', (field) => `the schema has no field ${field}`));
  }
  const cleared = Object.keys(body).filter((field) => body[field] === null && rules.schema.isRequired(field));
  if (cleared.length > 0) {
    return failed(...faultsOf(cleared, 'required_field', (field) => `${field} is required and cannot be deleted`));
  }
  const data = mergeFields(state?.data ?? {}, unknown.length === 0 ? body : withoutFields(body, unknown));
  const faults = judge(item, data) ?? [];
  if (faults.length > 0) return failed(...faults);
  const version = (state?.version ?? 0) + 1;
  const references = referencesIn(rules.schema.referenceFields, data);
  const next = { data, version, bytes: storedBytes(data), references };
  const excess = excessOf(next, key);
  if (excess !== null) return failed(excess);
  // -0 over 0 is a change: what was sent is what is read
  if (state !== undefined && sameJson(state.data, data, Object.is)) {
    return { decision: { kind: 'written', action: 'unchanged', version: state.version }, state };
  }
  const action = state === undefined ? 'created' : 'updated';
  return { decision: { kind: 'written', action, version }, state: next };
}

export const CHANGED_SINCE: ItemError = {
  code: 'changed_since',
  message: 'the resource has been written since, or deleted, or created again',
};

/** Takes a resource back to an earlier state, unless it has changed since. */
function restore<T extends WriteItem>(
  item: T,
  { expects, version: before, versionOfData }: Restoring,
  state: Sequence['state'],
  judge: Judge<T>,
): Applied {
  const { key, body: data, rules } = item;
  if (!isInState(state, expects)) return { decision: { kind: 'skipped', errors: [CHANGED_SINCE] }, state };
  const faults = judge(item, data) ?? [];
  if (faults.length > 0) return { decision: { kind: 'failed', errors: faults }, state };
  const version = (state?.version ?? before) + 1;
  const references = referencesIn(rules.schema.referenceFields, data);
  const restored = { at: version, version: versionOfData };
  const next = { data, version, bytes: storedBytes(data), references, restored };
  const excess = excessOf(next, key);
  if (excess !== null) return { decision: { kind: 'failed', errors: [excess] }, state };
  return { decision: { kind: 'written', action: 'reverted', version }, state: next };
}

function faultsOf(
  fields: readonly string[],
  code: ItemError['code'],
  describe: (field: string) => string,
): ItemError[] {
  return fields
    .slice(0, MAX_ERRORS_PER_ITEM)
    .map((field) => ({ code, message: describe(quoted(field)), field: shortened(field) }));
}

/** The part of a resource that is too much for one document; null if it fits. */
function excessOf({ data, bytes, references }: NewResourceState, key: ResourceKey): ItemError | null {
  if (references.length > MAX_REFERENCES) return referencesFault(references);
  const prefix = key.length - parseResourceKey(key).externalId.length;
  const keys = references.reduce((sum, { externalId }) => sum + prefix + Buffer.byteLength(externalId), 0);
  return bytes + keys > MAX_RESOURCE_BYTES ? sizeFault(data) : null;
}

/** The fault of a resource with too many references. */
export function referencesFault(references: readonly FoundReference[]): ItemError {
  const field = mostReferringField(references);
  const message = `the resource would have more than ${MAX_REFERENCES} references, most of them in ${quoted(field)}`;
  return { code: 'validation', message, field: shortened(field) };
}

/** The fault of a resource that is too large. */
export function sizeFault(data: JsonObject): ItemError {
  const field = largestField(data);
  const message = `the resource would be larger than ${MAX_RESOURCE_BYTES} bytes; its largest field is ${quoted(field)}`;
  return { code: 'validation', message, field: shortened(field) };
}
