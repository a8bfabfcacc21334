import { MAX_REFERENCES } from '../limits.ts';
import { isObject } from '../schema/document.ts';
import { fieldAt } from '../schema/json-pointer.ts';
import { EACH_ITEM, type ReferenceField } from '../schema/references.ts';
import { isExternalId } from './external-id.ts';
import type { JsonObject, JsonValue } from './resource.ts';

/** The place of a reference: the last step to it, and the place from which that step leads. */
interface Place {
  readonly outer: Place | null;
  readonly step: string | number;
}

/** A reference found in a resource. */
export interface FoundReference {
  readonly place: Place;
  /** Name or id of a schema definition, as its schema writes it. */
  readonly target: string;
  readonly externalId: string;
}

/**
 * Top-level field name, or JSON pointer below it. It is written out only if a message names it: below a long name, the fields of ten thousand
 * references would take more memory than there is.
 */
export function fieldOf({ place }: Pick<FoundReference, 'place'>): string {
  const steps: (string | number)[] = [];
  for (let at: Place | null = place; at !== null; at = at.outer) steps.push(at.step);
  return fieldAt(steps.reverse());
}

/** The top-level field that contains most of these references. */
export function mostReferringField(references: readonly Pick<FoundReference, 'place'>[]): string {
  const counts = new Map<string, number>();
  for (const { place } of references) {
    let top = place;
    while (top.outer !== null) top = top.outer;
    counts.set(String(top.step), (counts.get(String(top.step)) ?? 0) + 1);
  }
  return [...counts].reduce((most, each) => (each[1] > most[1] ? each : most), ['', 0])[0];
}

/**
 * The references of a body, in the order of the fields. A value that is no external id (not a string, empty, too long) is no
 * reference: validation reports it. If a body has too many, one more than `MAX_REFERENCES` are found.
 */
export function referencesIn(fields: readonly ReferenceField[], body: JsonObject): FoundReference[] {
  if (fields.length === 0) return [];
  const found: OrderedReference[] = [];
  collect(body, treeOf(fields), null, found);
  return found.sort((a, b) => a.order - b.order).map(({ reference }) => reference);
}

interface OrderedReference {
  readonly order: number;
  readonly reference: FoundReference;
}

/** Reference fields by their steps, so that the common part of several fields is walked once. */
interface FieldTree {
  /** Fields that end here, by their number. */
  readonly ends: { readonly order: number; readonly target: string }[];
  readonly properties: Map<string, FieldTree>;
  items: FieldTree | undefined;
}

const trees = new WeakMap<readonly ReferenceField[], FieldTree>();

function treeOf(fields: readonly ReferenceField[]): FieldTree {
  const known = trees.get(fields);
  if (known !== undefined) return known;
  const tree = newTree();
  for (const [order, { path, target }] of fields.entries()) {
    let at = tree;
    for (const step of path) at = nextTree(at, step);
    at.ends.push({ order, target });
  }
  trees.set(fields, tree);
  return tree;
}

const newTree = (): FieldTree => ({ ends: [], properties: new Map(), items: undefined });

function nextTree(tree: FieldTree, step: ReferenceField['path'][number]): FieldTree {
  if (step === EACH_ITEM) {
    tree.items ??= newTree();
    return tree.items;
  }
  const next = tree.properties.get(step) ?? newTree();
  tree.properties.set(step, next);
  return next;
}

/** The time depends on the number of values of the body, not on the number of fields. */
function collect(value: JsonValue, tree: FieldTree, place: Place | null, found: OrderedReference[]): void {
  if (typeof value === 'string') {
    if (place === null || tree.ends.length === 0 || !isExternalId(value)) return;
    for (const { order, target } of tree.ends) {
      if (found.length > MAX_REFERENCES) return;
      found.push({ order, reference: { place, target, externalId: value } });
    }
  } else if (Array.isArray(value)) {
    if (tree.items === undefined) return;
    for (const [index, item] of value.entries()) {
      if (found.length > MAX_REFERENCES) return;
      if (mayContainReferences(item)) collect(item, tree.items, { outer: place, step: index }, found);
    }
  } else if (isObject(value) && tree.properties.size > 0) {
    collectFields(value, tree, place, found);
  }
}

/** Iterates over the fields of the body or of the schema, whichever are fewer. */
function collectFields(body: JsonObject, tree: FieldTree, place: Place | null, found: OrderedReference[]): void {
  const names = Object.keys(body);
  const byBody = names.length < tree.properties.size;
  for (const name of byBody ? names : tree.properties.keys()) {
    const next = tree.properties.get(name);
    if (next === undefined || !Object.hasOwn(body, name)) continue;
    if (found.length > MAX_REFERENCES) return;
    const value = body[name];
    if (mayContainReferences(value)) collect(value, next, { outer: place, step: name }, found);
  }
}

const mayContainReferences = (value: JsonValue | undefined): value is string | JsonObject | JsonValue[] =>
  typeof value === 'string' || (typeof value === 'object' && value !== null);
