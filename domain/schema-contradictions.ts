import { canonicalText } from './json-text.ts';
import type { JsonObject, JsonValue } from './resource.ts';
import {
  type DefinitionFault,
  isObject,
  readSchemaDocument,
  type SchemaDocument,
  type SchemaNode,
} from './schema-document.ts';
import { validatableSchema } from './schema-normalizer.ts';
import { localTarget } from './schema-references.ts';

/** Subschemas looked at before the search is given up: it is a help, not a proof. */
const MAX_STEPS = 5_000;
/** Fields inside each other that are followed. */
const MAX_FIELDS_DEEP = 10;

/**
 * Says where a checked schema lets no resource through at all, as far as simple comparisons show: types, values, bounds and
 * required fields that exclude each other, followed through `allOf`, `anyOf`, `oneOf` and local `$ref`s. What it names is certain;
 * what it does not name may be impossible all the same.
 */
export function contradictionsIn(schema: JsonObject, externalIdField: string): DefinitionFault[] {
  const document = readSchemaDocument(validatableSchema(schema, externalIdField).schema);
  const reason = new Search(document).impossibility([document.root], 0);
  return reason === null ? [] : [{ pointer: reason.pointer, message: `no resource can fit: ${reason.message}` }];
}

type Kind = 'null' | 'boolean' | 'object' | 'array' | 'string' | 'integer' | 'fraction';
const KINDS: readonly Kind[] = ['null', 'boolean', 'object', 'array', 'string', 'integer', 'fraction'];

class Search {
  readonly #document: SchemaDocument;
  #steps = 0;

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  /** Why no value fits all of these; null where one may. */
  impossibility(nodes: readonly SchemaNode[], fieldsDeep: number): DefinitionFault | null {
    const all = [...this.#together(nodes)];
    this.#steps += all.length;
    if (this.#steps > MAX_STEPS) return null;
    const pointer = nodes[0]?.pointer ?? '';
    const refusing = all.find(({ schema }) => schema === false || refusesAll(schema));
    if (refusing !== undefined) return { pointer: refusing.pointer, message: 'this allows nothing' };
    const schemas = all.flatMap(({ schema }) => (isObject(schema) ? [schema] : []));
    const kinds = kindsOf(schemas);
    if (kinds.size === 0) return { pointer, message: 'the types exclude each other' };
    const values = allowedValues(schemas);
    if (values !== null) {
      const fitting = values.filter(
        (value) => kinds.has(kindOf(value)) && schemas.every((each) => isWithin(each, value)),
      );
      if (fitting.length === 0) return { pointer, message: 'none of the allowed values fits' };
      if (fitting.every((value) => typeof value !== 'object')) return this.#alternatives(all, fieldsDeep);
    }
    for (const kind of kinds) if (boundsExclude(schemas, kind)) kinds.delete(kind);
    if (kinds.size === 0) return { pointer, message: 'the bounds exclude each other' };
    if (kinds.size === 1 && kinds.has('object')) {
      const field = this.#impossibleField(all, schemas, fieldsDeep);
      if (field !== null) return field;
    }
    return this.#alternatives(all, fieldsDeep);
  }

  /** Subschemas that apply to the same value in every case. */
  #together(nodes: readonly SchemaNode[]): Set<SchemaNode> {
    const found = new Set(nodes);
    for (const node of found) {
      if (found.size > MAX_STEPS) break;
      for (const { relation, to } of node.edges) {
        if (relation === 'inPlace' && to.pointer.startsWith(`${node.pointer}/allOf/`)) found.add(to);
      }
      const target = localTarget(this.#document, node);
      if (target !== undefined) found.add(target);
    }
    return found;
  }

  /** A required field that can have no value. */
  #impossibleField(
    all: readonly SchemaNode[],
    schemas: readonly JsonObject[],
    fieldsDeep: number,
  ): DefinitionFault | null {
    if (fieldsDeep >= MAX_FIELDS_DEEP) return null;
    const required = new Set(schemas.flatMap(({ required: names }) => (Array.isArray(names) ? names : [])));
    for (const name of required) {
      if (typeof name !== 'string') continue;
      const closed = all.find(({ schema }) => isClosedTo(schema, name));
      if (closed !== undefined) {
        const message = `the field "${name}" is required, and additionalProperties does not allow it`;
        return { pointer: `${closed.pointer}/additionalProperties`, message };
      }
      const nodes = all.flatMap(({ edges }) =>
        edges.flatMap(({ relation, name: field, to }) => (relation === 'property' && field === name ? [to] : [])),
      );
      const reason = nodes.length === 0 ? null : this.impossibility(nodes, fieldsDeep + 1);
      if (reason !== null) return { ...reason, message: `the field "${name}" is required, and ${reason.message}` };
    }
    return null;
  }

  /** Alternatives none of which fits together with the rest. */
  #alternatives(all: readonly SchemaNode[], fieldsDeep: number): DefinitionFault | null {
    for (const node of all) {
      for (const keyword of ['anyOf', 'oneOf']) {
        const prefix = `${node.pointer}/${keyword}/`;
        const branches = node.edges.filter(
          ({ relation, to }) => relation === 'inPlace' && to.pointer.startsWith(prefix),
        );
        if (branches.length === 0) continue;
        // without these alternatives, which would be looked at again
        const rest = { ...node, edges: node.edges.filter((edge) => !branches.includes(edge)) };
        const others = [...all.filter((other) => other !== node), rest];
        const isImpossible = ({ to }: SchemaNode['edges'][number]): boolean =>
          !all.includes(to) && this.impossibility([to, ...others], fieldsDeep + 1) !== null;
        if (fieldsDeep < MAX_FIELDS_DEEP && branches.every(isImpossible)) {
          return { pointer: `${node.pointer}/${keyword}`, message: 'none of the alternatives fits' };
        }
      }
    }
    return null;
  }
}

const refusesAll = (schema: JsonObject | boolean): boolean =>
  isObject(schema) && (schema.not === true || (isObject(schema.not) && Object.keys(schema.not).length === 0));

function isClosedTo(schema: JsonObject | boolean, name: string): boolean {
  if (!isObject(schema) || schema.additionalProperties !== false || schema.patternProperties !== undefined)
    return false;
  return !(isObject(schema.properties) && Object.hasOwn(schema.properties, name));
}

function kindsOf(schemas: readonly JsonObject[]): Set<Kind> {
  const kinds = new Set(KINDS);
  for (const { type } of schemas) {
    if (type === undefined) continue;
    const named = new Set([type].flat().flatMap((each) => (each === 'number' ? ['integer', 'fraction'] : [each])));
    for (const kind of KINDS) if (!named.has(kind)) kinds.delete(kind);
  }
  return kinds;
}

function kindOf(value: JsonValue): Kind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'fraction';
  return typeof value as Kind;
}

/** What `const` and `enum` leave together; null where neither is there. */
function allowedValues(schemas: readonly JsonObject[]): JsonValue[] | null {
  const lists = schemas.flatMap((schema) => [
    ...(Object.hasOwn(schema, 'const') ? [[schema.const as JsonValue]] : []),
    ...(Array.isArray(schema.enum) ? [schema.enum] : []),
  ]);
  const [first, ...others] = lists;
  if (first === undefined) return null;
  const sets = others.map((list) => new Set(list.map(canonicalText)));
  return first.filter((value) => sets.every((set) => set.has(canonicalText(value))));
}

/** Whether a value is within the bounds of one schema that are about its kind; no further than simple comparison goes. */
function isWithin(schema: JsonObject, value: JsonValue): boolean {
  if (typeof value === 'number') {
    const { low, high } = rangeOf([schema]);
    return (low.open ? value > low.at : value >= low.at) && (high.open ? value < high.at : value <= high.at);
  }
  if (typeof value !== 'string') return true;
  const { most, least } = sizesOf([schema], 'Length');
  const length = [...value].length;
  return length >= least && length <= most;
}

const SIZES: Partial<Record<Kind, string>> = { string: 'Length', array: 'Items', object: 'Properties' };

/** Whether bounds leave no value of a kind. */
function boundsExclude(schemas: readonly JsonObject[], kind: Kind): boolean {
  const sizes = SIZES[kind];
  if (sizes !== undefined) {
    const { least, most } = sizesOf(schemas, sizes);
    return least > most;
  }
  if (kind !== 'integer' && kind !== 'fraction') return false;
  const { low, high } = rangeOf(schemas);
  return low.at > high.at || (low.at === high.at && (low.open || high.open));
}

function sizesOf(schemas: readonly JsonObject[], sizes: string): { least: number; most: number } {
  const numbers = (keyword: string) =>
    schemas.flatMap((schema) => (typeof schema[keyword] === 'number' ? [schema[keyword]] : []));
  return {
    least: numbers(`min${sizes}`).reduce((least, bound) => Math.max(least, bound), 0),
    most: numbers(`max${sizes}`).reduce((most, bound) => Math.min(most, bound), Number.POSITIVE_INFINITY),
  };
}

interface Bound {
  readonly at: number;
  /** The bound itself is excluded. */
  readonly open: boolean;
}

function rangeOf(schemas: readonly JsonObject[]): { low: Bound; high: Bound } {
  let low: Bound = { at: Number.NEGATIVE_INFINITY, open: false };
  let high: Bound = { at: Number.POSITIVE_INFINITY, open: false };
  for (const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } of schemas) {
    if (typeof minimum === 'number' && minimum > low.at) low = { at: minimum, open: false };
    if (typeof exclusiveMinimum === 'number' && exclusiveMinimum >= low.at) low = { at: exclusiveMinimum, open: true };
    if (typeof maximum === 'number' && maximum < high.at) high = { at: maximum, open: false };
    if (typeof exclusiveMaximum === 'number' && exclusiveMaximum <= high.at)
      high = { at: exclusiveMaximum, open: true };
  }
  return { low, high };
}
