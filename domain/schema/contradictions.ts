import { quoted, shortened } from '../json/shortened.ts';
import { canonicalText } from '../json/text.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import { type DefinitionFault, isObject, pointerOf, readSchemaDocument, type SchemaNode } from './document.ts';
import { validatableSchema } from './normalizer.ts';

/** Comparisons, of subschemas, names, values and characters, after which the search stops: it is a help, not a proof. */
const MAX_WORK = 1_000_000;
/** Depth of nested fields that is followed. */
const MAX_FIELDS_DEEP = 10;

/**
 * Finds where a checked schema lets no resource through, as far as simple comparisons show: types, values, bounds and
 * required fields that exclude each other, followed through `allOf`, `anyOf`, `oneOf` and local `$ref`s. A contradiction that it finds is certain;
 * a schema without one may be impossible all the same.
 */
export function contradictionsIn(schema: JsonObject, externalIdField: string): DefinitionFault[] {
  const document = readSchemaDocument(validatableSchema(schema, externalIdField).schema);
  const reason = new Search().reasonAgainst(document.root);
  return reason === null ? [] : [{ pointer: reason.pointer, message: `no resource can fit: ${reason.message}` }];
}

type Kind = 'null' | 'boolean' | 'object' | 'array' | 'string' | 'integer' | 'fraction';
const KINDS: readonly Kind[] = ['null', 'boolean', 'object', 'array', 'string', 'integer', 'fraction'];

/** The search has used up its limit of work. */
class WorkLimitError extends Error {
  override readonly name = 'WorkLimitError';
}

/** Why no value fits, and where. Pointers are written out only for faults. */
interface Reason {
  readonly node: SchemaNode;
  readonly keyword?: string;
  readonly message: string;
}

class Search {
  #work = 0;
  readonly #lists = new Map<JsonValue, AllowedList>();
  readonly #refusing = new Map<SchemaNode['schema'], boolean>();

  reasonAgainst(root: SchemaNode): DefinitionFault | null {
    try {
      const reason = this.#impossibility([root], 0);
      if (reason === null) return null;
      const { node, keyword, message } = reason;
      const pointer = keyword === undefined ? pointerOf(node) : `${pointerOf(node)}/${keyword}`;
      return { pointer: shortened(pointer, MAX_MESSAGE_LENGTH), message: shortened(message, MAX_MESSAGE_LENGTH) };
    } catch (error) {
      if (error instanceof WorkLimitError) return null;
      throw error;
    }
  }

  /** To be called before the work is done. @throws WorkLimitError */
  #spend(work: number): void {
    this.#work += work;
    if (this.#work > MAX_WORK) throw new WorkLimitError();
  }

  /** Why no value fits all of these; null if one may. */
  #impossibility(nodes: readonly [SchemaNode, ...SchemaNode[]], fieldsDeep: number): Reason | null {
    const all = [...this.#together(nodes)];
    const [node] = nodes;
    const refusing = all.find(({ schema }) => this.#refusesAll(schema));
    if (refusing !== undefined) return { node: refusing, message: 'this allows nothing' };
    const schemas = all.flatMap(({ schema }) => (isObject(schema) ? [schema] : []));
    const kinds = kindsOf(schemas);
    if (kinds.size === 0) return { node, message: 'the types exclude each other' };
    const values = this.#allowedValues(schemas);
    if (values !== null) {
      const fitting = values.filter(
        (value) => kinds.has(kindOf(value)) && schemas.every((each) => isWithin(each, value)),
      );
      if (fitting.length === 0) return { node, message: 'none of the allowed values fits' };
      if (fitting.every((value) => typeof value !== 'object')) return this.#alternatives(all, fieldsDeep);
    }
    for (const kind of kinds) if (boundsExclude(schemas, kind)) kinds.delete(kind);
    if (kinds.size === 0) return { node, message: 'the bounds exclude each other' };
    if (kinds.size === 1 && kinds.has('object')) {
      const field = this.#impossibleField(all, schemas, fieldsDeep);
      if (field !== null) return field;
    }
    return this.#alternatives(all, fieldsDeep);
  }

  /** Subschemas that apply to the same value in every case. */
  #together(nodes: readonly SchemaNode[]): Set<SchemaNode> {
    const found = new Set(nodes);
    for (const { edges, target } of found) {
      this.#spend(WORK_OF_A_SUBSCHEMA + edges.length);
      for (const { keyword, to } of edges) if (keyword === 'allOf') found.add(to);
      if (target !== undefined) found.add(target);
    }
    return found;
  }

  #refusesAll(schema: JsonObject | boolean): boolean {
    const known = this.#refusing.get(schema) ?? refusesAll(schema);
    this.#refusing.set(schema, known);
    return known;
  }

  /** The values that `const` and `enum` allow together; null if there is neither. */
  #allowedValues(schemas: readonly JsonObject[]): JsonValue[] | null {
    const lists = schemas.flatMap((schema) => [
      ...(Object.hasOwn(schema, 'const') ? [this.#listOf(schema, [schema.const as JsonValue])] : []),
      ...(Array.isArray(schema.enum) ? [this.#listOf(schema.enum, schema.enum)] : []),
    ]);
    const [first, ...others] = lists;
    if (first === undefined) return null;
    // each text is looked up in each other list, and each value is compared with each schema
    this.#spend((first.texts.length + first.characters / CHARACTERS_OF_A_STEP) * (lists.length + schemas.length));
    return first.values.filter((_, at) => others.every(({ set }) => set.has(first.texts[at] ?? '')));
  }

  /** @param of the cache key: a schema for its `const`, an `enum` itself. */
  #listOf(of: JsonValue, values: readonly JsonValue[]): AllowedList {
    const known = this.#lists.get(of);
    if (known !== undefined) return known;
    const texts = values.map(canonicalText);
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    const list = { values, texts, set: new Set(texts), characters };
    this.#lists.set(of, list);
    return list;
  }

  /** A required field that can have no value. */
  #impossibleField(all: readonly SchemaNode[], schemas: readonly JsonObject[], fieldsDeep: number): Reason | null {
    if (fieldsDeep >= MAX_FIELDS_DEEP) return null;
    const lists = schemas.flatMap(({ required }) => (Array.isArray(required) ? [required] : []));
    for (const { length } of lists) this.#spend(length);
    const properties = this.#propertiesOf(all);
    for (const name of new Set(lists.flat())) {
      if (typeof name !== 'string') continue;
      this.#spend(all.length);
      const closed = all.find(({ schema }) => isClosedTo(schema, name));
      if (closed !== undefined) {
        const message = `the field ${quoted(name)} is required, and additionalProperties does not allow it`;
        return { node: closed, keyword: 'additionalProperties', message };
      }
      const nodes = properties.get(name);
      const reason = nodes === undefined ? null : this.#impossibility(nodes, fieldsDeep + 1);
      if (reason !== null)
        return { ...reason, message: `the field ${quoted(name)} is required, and ${reason.message}` };
    }
    return null;
  }

  #propertiesOf(all: readonly SchemaNode[]): Map<string, [SchemaNode, ...SchemaNode[]]> {
    const properties = new Map<string, [SchemaNode, ...SchemaNode[]]>();
    for (const { edges } of all) {
      this.#spend(edges.length);
      for (const { relation, name, to } of edges) {
        if (relation === 'property' && !properties.get(name)?.push(to)) properties.set(name, [to]);
      }
    }
    return properties;
  }

  /** Alternatives, none of which fits together with the rest. */
  #alternatives(all: readonly SchemaNode[], fieldsDeep: number): Reason | null {
    for (const node of all) {
      for (const keyword of ['anyOf', 'oneOf']) {
        this.#spend(node.edges.length);
        const branches = node.edges.filter((edge) => edge.keyword === keyword);
        if (branches.length === 0) continue;
        // without these alternatives, which would be examined again
        const rest = { ...node, edges: node.edges.filter((edge) => edge.keyword !== keyword) };
        const others = [...all.filter((other) => other !== node), rest];
        const isImpossible = ({ to }: SchemaNode['edges'][number]): boolean => {
          this.#spend(all.length);
          return !all.includes(to) && this.#impossibility([to, ...others], fieldsDeep + 1) !== null;
        };
        if (fieldsDeep < MAX_FIELDS_DEEP && branches.every(isImpossible)) {
          return { node, keyword, message: 'none of the alternatives fits' };
        }
      }
    }
    return null;
  }
}

/** Work of examining one subschema, in addition to its content. */
const WORK_OF_A_SUBSCHEMA = 50;
/** Number of characters that take as long as one step. */
const CHARACTERS_OF_A_STEP = 4;
/** Longest pointer and message of a fault, in characters. */
const MAX_MESSAGE_LENGTH = 1_000;

/** Values that one keyword allows, prepared for comparison. */
interface AllowedList {
  readonly values: readonly JsonValue[];
  readonly texts: readonly string[];
  readonly set: ReadonlySet<string>;
  readonly characters: number;
}

const refusesAll = (schema: JsonObject | boolean): boolean =>
  schema === false ||
  (isObject(schema) && (schema.not === true || (isObject(schema.not) && Object.keys(schema.not).length === 0)));

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

/** Whether a value is within the bounds of one schema that concern its kind, as far as simple comparison shows. */
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
