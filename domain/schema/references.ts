import { MAX_FAULTS, MAX_REFERENCE_DEPTH, MAX_REFERENCE_FIELDS, MAX_REFERENCE_VISITS } from '../limits.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import {
  type DefinitionFault,
  pointerOf,
  readSchemaDocument,
  type SchemaDocument,
  type SchemaEdge,
  type SchemaNode,
} from './document.ts';

const REFERENCE = /^(?:reach|drover):schemas\/([a-zA-Z0-9_-]+)$/;
const REFERENCE_SCHEME = /^(?:reach|drover):/i;

/** The step of a path that means every item of an array. */
export const EACH_ITEM = Symbol('each item');

/** A place in resources that refers to another resource. */
export interface ReferenceField {
  readonly path: readonly (string | typeof EACH_ITEM)[];
  /** Name or id of a schema definition, as written. */
  readonly target: string;
}

/** The same text for fields of the same place and target, without regard to the case of the target. */
export function fieldIdentity({ path, target }: ReferenceField): string {
  return JSON.stringify([path.map((step) => (step === EACH_ITEM ? 0 : step)), target.toLowerCase()]);
}

/** The name or id that a `$ref` refers to; undefined if it is no reference to resources. */
export function referenceTarget(ref: JsonValue | undefined): string | undefined {
  return typeof ref === 'string' ? REFERENCE.exec(ref)?.[1] : undefined;
}

/**
 * The reference fields of a schema that was checked, each once; any version may have accepted it, which may have allowed more steps.
 * @throws the other faults that `checkReferences` finds.
 */
export function referenceFieldsOf(schema: JsonObject): readonly ReferenceField[] {
  const { fields, faults } = checkReferences(readSchemaDocument(schema), Number.POSITIVE_INFINITY);
  if (faults[0] !== undefined) throw new Error(`${faults[0].pointer}: ${faults[0].message}`);
  return fields;
}

/** Names and ids of the schema definitions that a checked schema refers to, as written, each once. */
export function referencedNames(schema: JsonObject): string[] {
  return namesIn(referenceFieldsOf(schema));
}

/** Names that differ only in case are the same. */
export function namesIn(fields: readonly ReferenceField[]): string[] {
  return [...new Map(fields.map((field) => [field.target.toLowerCase(), field.target])).values()];
}

/**
 * Finds reference fields, and every invalid `$ref`: one that points outside the document or to nothing, a
 * reference to resources elsewhere than under `properties` and `items`, and one that a recursive schema repeats at
 * every depth. A reference may be reached through local `$ref`s. Pointers of faults are relative to the schema.
 * @param maxVisits largest number of steps of the search; each is a subschema, or one below it, for a path of one of at most 1,000 fields.
 */
export function checkReferences(
  document: SchemaDocument,
  maxVisits = MAX_REFERENCE_VISITS,
): { fields: ReferenceField[]; faults: DefinitionFault[] } {
  const faults = refFaults(document);
  if (faults.length > 0) return { fields: [], faults };
  const search = new FieldSearch(document, maxVisits);
  search.run();
  return { fields: search.fields, faults: search.faults };
}

function refFaults(document: SchemaDocument): DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  for (const node of document.nodes) {
    if (typeof node.schema === 'boolean' || !Object.hasOwn(node.schema, '$ref')) continue;
    const fault = refFault(node, node.schema.$ref);
    if (fault !== null) faults.push({ pointer: `${pointerOf(node)}/$ref`, message: fault });
    if (faults.length >= MAX_FAULTS) break;
  }
  return faults;
}

function refFault(node: SchemaNode, ref: JsonValue | undefined): string | null {
  if (typeof ref !== 'string') return 'must be a string';
  if (referenceTarget(ref) !== undefined) return null;
  if (REFERENCE_SCHEME.test(ref)) return 'a reference reads "reach:schemas/" and the name or id of a schema definition';
  if (!ref.startsWith('#')) return 'must not point outside the document';
  return node.target === undefined ? 'points at no schema in this document' : null;
}

class FieldSearch {
  readonly fields: ReferenceField[] = [];
  readonly faults: DefinitionFault[] = [];
  readonly #document: SchemaDocument;
  /** Subschemas from which a reference can be reached: the others need no search. */
  readonly #leading: ReadonlySet<SchemaNode>;
  readonly #edges = new Map<SchemaNode, readonly SchemaEdge[]>();
  /** Subschemas on the path from the root to the present place of the search. */
  readonly #way = new Set<SchemaNode>();
  /** Fields that a subschema was searched for: a second path to it with the same fields finds nothing new. */
  readonly #seen = new Map<SchemaNode, Set<Field>>();
  readonly #refused = new Set<SchemaNode>();
  readonly #faulty = new Set<SchemaNode>();
  readonly #maxVisits: number;
  #visits = 0;

  constructor(document: SchemaDocument, maxVisits: number) {
    this.#document = document;
    this.#maxVisits = maxVisits;
    this.#leading = leadingToReferences(document);
  }

  run(): void {
    this.#visit(this.#document.root, newField(null, ''));
  }

  get #isOver(): boolean {
    return this.fields.length > MAX_REFERENCE_FIELDS || this.faults.length >= MAX_FAULTS;
  }

  #visit(node: SchemaNode, field: Field): void {
    if (!this.#leading.has(node) || this.#isOver || this.#visits > this.#maxVisits) return;
    const fields = this.#seen.get(node) ?? new Set();
    if (fields.has(field)) return;
    this.#seen.set(node, fields.add(field));
    const edges = this.#leadingEdges(node);
    this.#visits += 1 + edges.length;
    if (this.#visits > this.#maxVisits) {
      if (this.faults.length === 0) this.#fault(node, 'its references can be reached in too many ways');
      return;
    }
    if (this.#way.size > MAX_REFERENCE_DEPTH) {
      this.#fault(node, 'nested too deeply');
      return;
    }
    const target = targetOf(node);
    if (target !== undefined) {
      this.#add(node, field, target);
      for (const edge of edges) if (edge.relation !== 'named') this.#refuse(edge.to);
      return;
    }
    this.#way.add(node);
    for (const { relation, name, to } of edges) {
      if (relation === 'property') this.#visit(to, fieldBelow(field, name));
      else if (relation === 'items') this.#visit(to, fieldBelow(field, EACH_ITEM));
      else if (relation !== 'named') this.#refuse(to);
    }
    const local = node.target;
    if (local !== undefined && this.#leading.has(local)) {
      if (this.#way.has(local))
        this.#fault(node, 'a schema that contains itself must not contain references to resources');
      else this.#visit(local, field);
    }
    this.#way.delete(node);
  }

  #leadingEdges(node: SchemaNode): readonly SchemaEdge[] {
    const known = this.#edges.get(node) ?? node.edges.filter(({ to }) => this.#leading.has(to));
    this.#edges.set(node, known);
    return known;
  }

  #add(node: SchemaNode, field: Field, target: string): void {
    if (field.outer === null) {
      this.#fault(node, 'a resource cannot be a reference itself');
      return;
    }
    const key = target.toLowerCase();
    if (field.targets.has(key)) return;
    field.targets.add(key);
    if (this.fields.push({ path: pathOf(field), target }) > MAX_REFERENCE_FIELDS) {
      this.#fault(node, `a schema may have at most ${MAX_REFERENCE_FIELDS} reference fields`);
    }
  }

  /** Every reference that can be reached from here applies in a way that only validation can follow. */
  #refuse(from: SchemaNode): void {
    const open = [from];
    for (let node = open.pop(); node !== undefined && !this.#isOver; node = open.pop()) {
      if (!this.#leading.has(node) || this.#refused.has(node)) continue;
      this.#refused.add(node);
      if (targetOf(node) !== undefined) {
        this.#fault(node, 'a reference is only allowed under "properties" and "items", not under other keywords');
      }
      open.push(...reachedFrom(node));
    }
  }

  #fault(node: SchemaNode, message: string): void {
    if (this.#faulty.has(node)) return;
    this.#faulty.add(node);
    this.faults.push({ pointer: `${pointerOf(node)}/$ref`, message });
  }
}

/** A place in resources that the search has reached, by any path. */
interface Field {
  readonly outer: Field | null;
  readonly step: ReferenceField['path'][number];
  readonly below: Map<ReferenceField['path'][number], Field>;
  /** The targets of references there, in lower case. */
  readonly targets: Set<string>;
}

const newField = (outer: Field | null, step: Field['step']): Field => ({
  outer,
  step,
  below: new Map(),
  targets: new Set(),
});

function fieldBelow(outer: Field, step: Field['step']): Field {
  const field = outer.below.get(step) ?? newField(outer, step);
  outer.below.set(step, field);
  return field;
}

function pathOf(field: Field): ReferenceField['path'] {
  const path: Field['step'][] = [];
  for (let at = field; at.outer !== null; at = at.outer) path.push(at.step);
  return path.reverse();
}

function targetOf(node: SchemaNode): string | undefined {
  return typeof node.schema === 'boolean' ? undefined : referenceTarget(node.schema.$ref);
}

/** Subschemas that apply where this one does; definitions only if a `$ref` names them. */
function* reachedFrom(node: SchemaNode): Generator<SchemaNode> {
  for (const edge of node.edges) if (edge.relation !== 'named') yield edge.to;
  if (node.target !== undefined) yield node.target;
}

function leadingToReferences(document: SchemaDocument): Set<SchemaNode> {
  const before = new Map<SchemaNode, SchemaNode[]>();
  for (const node of document.nodes) {
    for (const next of reachedFrom(node)) {
      if (!before.get(next)?.push(node)) before.set(next, [node]);
    }
  }
  const leading = new Set(document.nodes.filter((node) => targetOf(node) !== undefined));
  for (const node of leading) for (const earlier of before.get(node) ?? []) leading.add(earlier);
  return leading;
}
