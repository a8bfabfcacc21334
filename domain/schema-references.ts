import { isExternalId } from './external-id.ts';
import { fieldAt } from './json-pointer.ts';
import type { JsonObject, JsonValue } from './resource.ts';
import {
  type DefinitionFault,
  isObject,
  readSchemaDocument,
  resolveLocal,
  type SchemaDocument,
  type SchemaNode,
} from './schema-document.ts';

/** Most places for references in one schema definition. */
export const MAX_REFERENCE_FIELDS = 1_000;

/** Longest way from the root to a reference, in subschemas. */
const MAX_WAY = 500;
/** A schema that takes more steps than this to search has faults enough to report. */
const MAX_VISITS = 100_000;

const REFERENCE = /^(?:reach|drover):schemas\/([a-zA-Z0-9_-]+)$/;
const REFERENCE_SCHEME = /^(?:reach|drover):/i;

/** Stands in a path for every item of an array. */
export const EACH_ITEM = Symbol('each item');

/** A place in resources that refers to another resource. */
export interface ReferenceField {
  readonly path: readonly (string | typeof EACH_ITEM)[];
  /** Name or id of a schema definition, as written. */
  readonly target: string;
}

/** A reference found in a resource. */
export interface FoundReference {
  /** Top-level field name, or JSON pointer below it. */
  readonly field: string;
  /** Name or id of a schema definition, as its schema writes it. */
  readonly target: string;
  readonly externalId: string;
}

/** One text for fields of the same place and target, the case of the target aside. */
export function fieldIdentity({ path, target }: ReferenceField): string {
  return JSON.stringify([path.map((step) => (step === EACH_ITEM ? 0 : step)), target.toLowerCase()]);
}

/** The name or id that a `$ref` refers to; undefined where it is no reference to resources. */
export function referenceTarget(ref: JsonValue | undefined): string | undefined {
  return typeof ref === 'string' ? REFERENCE.exec(ref)?.[1] : undefined;
}

/**
 * The reference fields of a schema that was checked, each once.
 * @throws what `checkReferences` finds wrong.
 */
export function referenceFieldsOf(schema: JsonObject): readonly ReferenceField[] {
  const { fields, faults } = checkReferences(readSchemaDocument(schema));
  if (faults[0] !== undefined) throw new Error(`${faults[0].pointer}: ${faults[0].message}`);
  return fields;
}

/** Names and ids of the schema definitions that a checked schema refers to, as written, each once. */
export function referencedNames(schema: JsonObject): string[] {
  return namesIn(referenceFieldsOf(schema));
}

/** Names that differ in case only are one. */
export function namesIn(fields: readonly ReferenceField[]): string[] {
  return [...new Map(fields.map((field) => [field.target.toLowerCase(), field.target])).values()];
}

/**
 * Finds reference fields, and every `$ref` that cannot be what it says: one that points outside the document or at nothing, a
 * reference to resources that stands elsewhere than under `properties` and `items`, and one that a recursive schema repeats at
 * every depth. A reference may be reached through local `$ref`s. Pointers of faults are relative to the schema.
 */
export function checkReferences(document: SchemaDocument): { fields: ReferenceField[]; faults: DefinitionFault[] } {
  const faults = refFaults(document);
  if (faults.length > 0) return { fields: [], faults };
  const search = new FieldSearch(document);
  search.run();
  return { fields: search.fields, faults: search.faults };
}

function refFaults(document: SchemaDocument): DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  for (const node of document.nodes.values()) {
    if (typeof node.schema === 'boolean' || !Object.hasOwn(node.schema, '$ref')) continue;
    const fault = refFault(document, node.schema.$ref);
    if (fault !== null) faults.push({ pointer: `${node.pointer}/$ref`, message: fault });
  }
  return faults;
}

function refFault(document: SchemaDocument, ref: JsonValue | undefined): string | null {
  if (typeof ref !== 'string') return 'must be a string';
  if (referenceTarget(ref) !== undefined) return null;
  if (REFERENCE_SCHEME.test(ref)) return 'a reference reads "reach:schemas/" and the name or id of a schema definition';
  if (!ref.startsWith('#')) return 'must not point outside the document';
  return resolveLocal(document, ref) === undefined ? 'points at no schema in this document' : null;
}

class FieldSearch {
  readonly fields: ReferenceField[] = [];
  readonly faults: DefinitionFault[] = [];
  readonly #document: SchemaDocument;
  /** Subschemas from which a reference can be reached: the rest need no look. */
  readonly #leading: ReadonlySet<SchemaNode>;
  /** Subschemas on the way from the root to where the search is. */
  readonly #way = new Set<SchemaNode>();
  readonly #found = new Set<string>();
  readonly #faulty = new Set<string>();
  #visits = 0;

  constructor(document: SchemaDocument) {
    this.#document = document;
    this.#leading = leadingToReferences(document);
  }

  run(): void {
    this.#visit(this.#document.root, []);
  }

  #visit(node: SchemaNode, path: ReferenceField['path']): void {
    if (!this.#leading.has(node) || this.fields.length > MAX_REFERENCE_FIELDS) return;
    this.#visits += 1;
    if (this.#visits > MAX_VISITS && this.faults.length > 0) return;
    if (this.#way.size > MAX_WAY) {
      this.#fault(node, 'nested too deeply');
      return;
    }
    const target = targetOf(node);
    if (target !== undefined) {
      this.#add(node, path, target);
      for (const edge of node.edges) if (edge.relation !== 'named') this.#refuse(edge.to);
      return;
    }
    this.#way.add(node);
    for (const { relation, name, to } of node.edges) {
      if (relation === 'property') this.#visit(to, [...path, name]);
      else if (relation === 'items') this.#visit(to, [...path, EACH_ITEM]);
      else if (relation !== 'named') this.#refuse(to);
    }
    const local = localTarget(this.#document, node);
    if (local !== undefined && this.#leading.has(local)) {
      if (this.#way.has(local))
        this.#fault(node, 'a schema that contains itself must not contain references to resources');
      else this.#visit(local, path);
    }
    this.#way.delete(node);
  }

  #add(node: SchemaNode, path: ReferenceField['path'], target: string): void {
    if (path.length === 0) {
      this.#fault(node, 'a resource cannot be a reference itself');
      return;
    }
    const key = fieldIdentity({ path, target });
    if (this.#found.has(key)) return;
    this.#found.add(key);
    if (this.fields.push({ path, target }) > MAX_REFERENCE_FIELDS) {
      this.#fault(node, `a schema may have at most ${MAX_REFERENCE_FIELDS} reference fields`);
    }
  }

  /** Every reference that can be reached from here applies in a way that only validation can follow. */
  #refuse(from: SchemaNode): void {
    const seen = new Set([from]);
    for (const node of seen) {
      if (!this.#leading.has(node)) continue;
      if (targetOf(node) !== undefined) {
        this.#fault(node, 'a reference may only stand under "properties" and "items", not under other keywords');
      }
      for (const next of reachedFrom(this.#document, node)) seen.add(next);
    }
  }

  #fault(node: SchemaNode, message: string): void {
    const pointer = `${node.pointer}/$ref`;
    if (this.#faulty.has(pointer)) return;
    this.#faulty.add(pointer);
    this.faults.push({ pointer, message });
  }
}

function targetOf(node: SchemaNode): string | undefined {
  return typeof node.schema === 'boolean' ? undefined : referenceTarget(node.schema.$ref);
}

/** What a local `$ref` of this subschema points at. */
export function localTarget(document: SchemaDocument, node: SchemaNode): SchemaNode | undefined {
  const ref = typeof node.schema === 'boolean' ? undefined : node.schema.$ref;
  return typeof ref === 'string' ? resolveLocal(document, ref) : undefined;
}

/** Subschemas that apply where this one does; definitions only where a `$ref` names them. */
function* reachedFrom(document: SchemaDocument, node: SchemaNode): Generator<SchemaNode> {
  for (const edge of node.edges) if (edge.relation !== 'named') yield edge.to;
  const local = localTarget(document, node);
  if (local !== undefined) yield local;
}

function leadingToReferences(document: SchemaDocument): Set<SchemaNode> {
  const before = new Map<SchemaNode, SchemaNode[]>();
  for (const node of document.nodes.values()) {
    for (const next of reachedFrom(document, node)) {
      if (!before.get(next)?.push(node)) before.set(next, [node]);
    }
  }
  const leading = new Set([...document.nodes.values()].filter((node) => targetOf(node) !== undefined));
  for (const node of leading) for (const earlier of before.get(node) ?? []) leading.add(earlier);
  return leading;
}

/**
 * What a body refers to, in the order of the fields. A value that is no external id (not a string, empty, too long) is no
 * reference: validation says what is wrong with it.
 */
export function referencesIn(fields: readonly ReferenceField[], body: JsonObject): FoundReference[] {
  const found: FoundReference[] = [];
  for (const { path, target } of fields) collect(body, path, 0, [], target, found);
  return found;
}

function collect(
  value: JsonValue | undefined,
  path: ReferenceField['path'],
  depth: number,
  place: readonly (string | number)[],
  target: string,
  found: FoundReference[],
): void {
  const step = path[depth];
  if (step === undefined) {
    if (typeof value === 'string' && isExternalId(value))
      found.push({ field: fieldAt(place), target, externalId: value });
  } else if (step === EACH_ITEM) {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) collect(item, path, depth + 1, [...place, index], target, found);
  } else if (isObject(value) && Object.hasOwn(value, step)) {
    collect(value[step], path, depth + 1, [...place, step], target, found);
  }
}
