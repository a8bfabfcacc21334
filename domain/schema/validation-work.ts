import { stronglyConnectedComponents } from '../collections/components.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import { isObject, readSchemaDocument, type SchemaNode } from './document.ts';
import { comparedExtent } from './equality-keywords.ts';
import { patternSize } from './linear-regex.ts';

/** Time of applying one subschema to one value, without its keywords: measured on a busy machine, and rounded up. */
const APPLICATION_NS = 300;
/** Additional time of an alternative: one that does not fit makes errors. */
const ALTERNATIVE_NS = 1_000;
/** Time of looking for one property, or one name of `required`. */
const PROPERTY_NS = 10;
/** Time of reporting one fault, if all of them are reported. */
const FAULT_NS = 1_000;
/** Time of matching a pattern, even with an empty text. */
const PATTERN_NS = 2_000;
/** Time of one instruction of a pattern's automaton for one character. */
const PATTERN_STEP_NS = 8;
/** Time of a format for one character, and of the formats that take more: host names are mapped, groups of patterns are nested. */
const FORMAT_CHARACTER_NS = 30;
const COSTLY_FORMATS: ReadonlyMap<JsonValue, number> = new Map([
  ['url', 200],
  ['regex', 200],
]);
/** Time of counting characters (`minLength`), for one character. */
const COUNTED_CHARACTER_NS = 10;
/** Time of comparing whole values (`uniqueItems`, `enum`), for one value, and for one character of them. */
const COMPARED_VALUE_NS = 800;
const COMPARED_CHARACTER_NS = 10;

/** The size of a resource. */
interface DataExtent {
  /** Objects and arrays inside each other. */
  readonly depth: number;
  /** Values and field names. */
  readonly values: number;
  /** Characters of texts and field names. */
  readonly characters: number;
}

/** Work at one depth of a resource, in nanoseconds: for each value there, and for each character. */
interface Rates {
  readonly perValue: Float64Array;
  readonly perCharacter: Float64Array;
}

/**
 * An upper bound of the time of validating against a schema. For each depth of a resource it knows how often subschemas apply to
 * one value there, followed through combinators, `$ref`s and repeated parts; of the properties of an object only one applies to a
 * value. Rates are computed for as many levels as resources have.
 */
export class ValidationWork {
  readonly #nodes: readonly SchemaNode[];
  readonly #own: readonly OwnWork[];
  /** For each subschema those that apply to the same value, to one of its parts, and to its properties. */
  readonly #edges: readonly { inPlace: number[]; parts: number[]; properties: number[] }[];
  readonly #root: number;
  readonly #levels: Rates[] = [];
  /** The highest rates of the root up to each depth. */
  readonly #highest: { perValue: number; perCharacter: number }[] = [];

  /**
   * @param schema in the form that the validator takes.
   * @param allFaults whether all faults are reported: each name that a schema requires can be one.
   */
  constructor(schema: JsonObject, allFaults = false) {
    const document = readSchemaDocument(schema);
    // subschemas that apply in place come first: their work is known when it is needed
    this.#nodes = stronglyConnectedComponents(document.nodes, inPlaceOf).flat();
    const numbers = new Map(this.#nodes.map((node, number) => [node, number]));
    const isNoted = this.#nodes.some(
      ({ schema: each }) => isObject(each) && NOTED.some((keyword) => Object.hasOwn(each, keyword)),
    );
    this.#own = this.#nodes.map((node) => ownWork(node, isNoted, allFaults));
    const numberOf = (node: SchemaNode): number => numbers.get(node) ?? 0;
    this.#edges = this.#nodes.map((node) => ({
      inPlace: inPlaceOf(node).map(numberOf),
      parts: partsOf(node, 'items', 'part').map(numberOf),
      properties: partsOf(node, 'property').map(numberOf),
    }));
    this.#root = numberOf(document.root);
  }

  /** The longest time of one validation, in nanoseconds. */
  estimateNs({ depth, values, characters }: DataExtent): number {
    const { perValue, perCharacter } = this.#highestUpTo(depth);
    return perValue * values + perCharacter * characters;
  }

  #highestUpTo(depth: number): { perValue: number; perCharacter: number } {
    for (let level = this.#highest.length; level <= depth; level++) {
      const rates = this.#nextLevel();
      const before = this.#highest[level - 1] ?? { perValue: 0, perCharacter: 0 };
      this.#highest.push({
        perValue: Math.max(before.perValue, rates.perValue[this.#root] ?? 0),
        perCharacter: Math.max(before.perCharacter, rates.perCharacter[this.#root] ?? 0),
      });
      // only the last level is needed for the next one
      this.#levels.splice(0, this.#levels.length, rates);
    }
    return this.#highest[depth] ?? { perValue: 0, perCharacter: 0 };
  }

  /** For each subschema the rates of values one level deeper below its value than those computed last. */
  #nextLevel(): Rates {
    const isFirst = this.#highest.length === 0;
    const below = this.#levels[0];
    const perValue = new Float64Array(this.#nodes.length);
    const perCharacter = new Float64Array(this.#nodes.length);
    const add = (rates: Float64Array, lower: Float64Array | undefined, number: number, own: number): void => {
      const { inPlace, parts, properties } = this.#edges[number] ?? { inPlace: [], parts: [], properties: [] };
      let sum = own;
      for (const same of inPlace) sum += rates[same] ?? 0;
      if (lower !== undefined) {
        for (const part of parts) sum += lower[part] ?? 0;
        let highest = 0;
        for (const property of properties) highest = Math.max(highest, lower[property] ?? 0);
        sum += highest;
      }
      rates[number] = sum;
    };
    for (const [number, own] of this.#own.entries()) {
      add(perValue, below?.perValue, number, (isFirst ? own.value : 0) + own.valueWithin);
      add(perCharacter, below?.perCharacter, number, (isFirst ? own.character : 0) + own.characterWithin);
    }
    return { perValue, perCharacter };
  }
}

function inPlaceOf(node: SchemaNode): SchemaNode[] {
  return [...partsOf(node, 'inPlace'), ...(node.target === undefined ? [] : [node.target])];
}

function partsOf(node: SchemaNode, ...relations: SchemaNode['edges'][number]['relation'][]): SchemaNode[] {
  return node.edges.filter((edge) => relations.includes(edge.relation)).map((edge) => edge.to);
}

/** Work of a subschema itself, in ns: for its value, and for everything within that value. */
interface OwnWork {
  readonly value: number;
  readonly character: number;
  readonly valueWithin: number;
  readonly characterWithin: number;
}

/** Keywords that make every combinator record what it has read, name by name. */
const NOTED = ['unevaluatedProperties', 'unevaluatedItems'];

function ownWork({ schema }: SchemaNode, isNoted: boolean, allFaults: boolean): OwnWork {
  const application = APPLICATION_NS + (allFaults ? FAULT_NS : 0);
  if (typeof schema === 'boolean') return { value: application, character: 0, valueWithin: 0, characterWithin: 0 };
  const patterns = isObject(schema.patternProperties) ? Object.keys(schema.patternProperties) : [];
  // names are matched once more to find the additional ones
  const times = schema.additionalProperties === undefined && schema.unevaluatedProperties === undefined ? 1 : 2;
  const instructions = patterns.reduce((sum, pattern) => sum + patternSize(pattern), 0) * times;
  const alternatives = countOf(schema.anyOf) + countOf(schema.oneOf);
  const pattern = typeof schema.pattern === 'string' ? patternSize(schema.pattern) : 0;
  const counted = schema.minLength !== undefined || schema.maxLength !== undefined;
  const isUnique = schema.uniqueItems === true;
  const keywords = allFaults ? Object.keys(schema).length : 0;
  return {
    value:
      application +
      keywords * FAULT_NS +
      (countOf(schema.properties) + countOf(schema.dependentSchemas)) * PROPERTY_NS +
      namesAskedFor(schema) * (PROPERTY_NS + (allFaults ? FAULT_NS : 0)) +
      alternatives * ALTERNATIVE_NS +
      comparedNs(schema) +
      (pattern > 0 ? PATTERN_NS : 0),
    character:
      pattern * PATTERN_STEP_NS +
      (typeof schema.format === 'string' ? (COSTLY_FORMATS.get(schema.format) ?? FORMAT_CHARACTER_NS) : 0) +
      (counted ? COUNTED_CHARACTER_NS : 0),
    valueWithin:
      (isUnique ? COMPARED_VALUE_NS : 0) + (isNoted ? APPLICATION_NS : 0) + patterns.length * times * PATTERN_NS,
    characterWithin: (isUnique ? COMPARED_CHARACTER_NS : 0) + instructions * PATTERN_STEP_NS,
  };
}

/** Names of `required`, and the names whose presence requires others, with those others. */
export function namesAskedFor(schema: JsonObject): number {
  const asked = ['dependencies', 'dependentRequired'].flatMap((keyword) => {
    const holder = schema[keyword];
    return isObject(holder) ? Object.values(holder).map((names) => 1 + (Array.isArray(names) ? names.length : 0)) : [];
  });
  return asked.reduce((sum, names) => sum + names, Array.isArray(schema.required) ? schema.required.length : 0);
}

function countOf(value: JsonValue | undefined): number {
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}

/** The longest time of `const` and `enum` for one value: no more of it is read than the allowed values contain. */
function comparedNs({ const: only, enum: several }: JsonObject): number {
  const candidates = [...(Array.isArray(several) ? several : []), ...(only === undefined ? [] : [only])];
  const { values, characters } = comparedExtent(candidates);
  return COMPARED_VALUE_NS * (1 + values) + COMPARED_CHARACTER_NS * characters;
}
