import { stronglyConnectedComponents } from './components.ts';
import { pointerStep } from './json-pointer.ts';
import { measureJson } from './json-text.ts';
import { examinePattern } from './linear-regex.ts';
import type { JsonObject } from './resource.ts';
import { type DefinitionFault, isObject, patternsOf, type SchemaDocument, type SchemaNode } from './schema-document.ts';
import { EVALUATION_KEYWORD } from './schema-normalizer.ts';
import { localTarget } from './schema-references.ts';

/** Largest schema, in characters of JSON text. */
export const MAX_SCHEMA_LENGTH = 1_048_576;
/** Deepest schema, in objects and arrays inside each other. */
export const MAX_SCHEMA_DEPTH = 250;
/** Most properties in all of a schema. */
export const MAX_PROPERTIES = 1_000;
/** Most subschemas in all of a schema. */
export const MAX_SUBSCHEMAS = 2_500;
/** Most instructions in the automata of all patterns together. */
export const MAX_PATTERN_INSTRUCTIONS = 50_000;
/** Most values in one `enum`. */
export const MAX_ENUM_VALUES = 20_000;
/** Most subschemas that apply to one and the same value, followed through `allOf`, `$ref` and the like. */
export const MAX_APPLIED = 5_000;

/** What makes a schema too large to even look at closely; to be asked before anything recursive is done with it. */
export function checkExtent(schema: JsonObject): DefinitionFault[] {
  if (measureJson(schema, MAX_SCHEMA_DEPTH).depth > MAX_SCHEMA_DEPTH) {
    return [{ pointer: '', message: `must not be nested deeper than ${MAX_SCHEMA_DEPTH} levels` }];
  }
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH) {
    return [{ pointer: '', message: `must not be longer than ${MAX_SCHEMA_LENGTH} characters` }];
  }
  return [];
}

/** What would make validation slow or endless, or cannot be followed. Pointers are relative to the schema. */
export function checkLimits(document: SchemaDocument): DefinitionFault[] {
  const nodes = [...document.nodes.values()];
  const properties = nodes.reduce((sum, node) => sum + countProperties(node.schema), 0);
  if (properties > MAX_PROPERTIES) {
    return [{ pointer: '', message: `must not have more than ${MAX_PROPERTIES} properties` }];
  }
  if (nodes.length > MAX_SUBSCHEMAS) {
    return [{ pointer: '', message: `must not have more than ${MAX_SUBSCHEMAS} subschemas` }];
  }
  return [...nodes.flatMap(keywordFaults), ...patternFaults(nodes), ...applicationFaults(document)];
}

function countProperties(schema: JsonObject | boolean): number {
  return isObject(schema) && isObject(schema.properties) ? Object.keys(schema.properties).length : 0;
}

/**
 * Keywords that would change what validation does, or that the validator takes for something else than JSON Schema does:
 * `$async` makes it answer with a promise, `nullable` (of OpenAPI) adds a type, `id` (of draft-04) is an error.
 */
const REFUSED_KEYWORDS: readonly (readonly [string, string])[] = [
  ['$async', 'is not supported'],
  ['nullable', 'is no keyword of JSON Schema: add "null" to "type"'],
  ['id', 'is no keyword of this draft: use $id at the root, or $anchor'],
  ['$dynamicRef', 'is not supported: use $ref'],
  ['$recursiveRef', 'is not supported: use $ref'],
  ['$recursiveAnchor', 'is not supported: use $anchor'],
  [EVALUATION_KEYWORD, 'is reserved'],
];

function keywordFaults({ pointer, schema }: SchemaNode): DefinitionFault[] {
  if (typeof schema === 'boolean') return [];
  const faults: DefinitionFault[] = [];
  const fault = (keyword: string, message: string) =>
    faults.push({ pointer: `${pointer}${pointerStep(keyword)}`, message });
  if (Array.isArray(schema.enum) && schema.enum.length > MAX_ENUM_VALUES) {
    fault('enum', `must not have more than ${MAX_ENUM_VALUES} values`);
  }
  for (const [keyword, message] of REFUSED_KEYWORDS) if (Object.hasOwn(schema, keyword)) fault(keyword, message);
  if (pointer !== '' && typeof schema.$id === 'string' && !schema.$id.startsWith('#')) {
    fault('$id', 'is supported at the root of a schema only');
  }
  return faults;
}

/** Patterns that cannot be done, up to the one that is too much. */
function patternFaults(nodes: readonly SchemaNode[]): DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  let instructions = 0;
  for (const { pointer, pattern } of nodes.flatMap(patternsOf)) {
    const examined = examinePattern(pattern);
    if ('fault' in examined) faults.push({ pointer, message: unsupported(examined.fault) });
    else instructions += examined.size;
    if (instructions > MAX_PATTERN_INSTRUCTIONS) {
      return [...faults, { pointer, message: 'the patterns of the schema are too large together' }];
    }
    if (faults.length > MAX_PATTERN_FAULTS) return faults;
  }
  return faults;
}

/** Most patterns told to be wrong. */
const MAX_PATTERN_FAULTS = 100;

const unsupported = (reason: string): string =>
  `is no regular expression that can be matched in linear time (no lookaround, no back-references): ${reason}`;

/** Finds `$ref`s that lead back to the value they started from, and combinators that multiply beyond measure. */
function applicationFaults(document: SchemaDocument): DefinitionFault[] {
  const applied = new Map<string, number>();
  const appliesTo = (pointer: string): string[] => {
    const node = document.nodes.get(pointer);
    return node === undefined ? [] : sameValueSchemas(document, node);
  };
  for (const component of stronglyConnectedComponents(document.nodes.keys(), appliesTo)) {
    const [pointer = ''] = component;
    if (component.length > 1 || appliesTo(pointer).includes(pointer)) {
      return [{ pointer: referringNode(document, component), message: 'leads back to itself for the same value' }];
    }
    const count = appliesTo(pointer).reduce((sum, next) => sum + (applied.get(next) ?? 0), 1);
    if (count > MAX_APPLIED) {
      return [{ pointer, message: `applies more than ${MAX_APPLIED} subschemas to one value` }];
    }
    applied.set(pointer, count);
  }
  return [];
}

/** Pointers of the subschemas that apply to the same value as this one, right below it or by its local `$ref`. */
function sameValueSchemas(document: SchemaDocument, node: SchemaNode): string[] {
  const pointers = node.edges.filter((edge) => edge.relation === 'inPlace').map((edge) => edge.to.pointer);
  const local = localTarget(document, node);
  if (local !== undefined) pointers.push(local.pointer);
  return pointers;
}

/** Every loop has a `$ref` in it; that of the first member that has one names it. */
function referringNode(document: SchemaDocument, component: readonly string[]): string {
  const members = component.flatMap((pointer) => document.nodes.get(pointer) ?? []);
  const referring = members.find((node) => localTarget(document, node) !== undefined);
  return `${referring?.pointer ?? ''}/$ref`;
}
