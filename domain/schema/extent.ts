import { stronglyConnectedComponents } from '../collections/components.ts';
import { shortened } from '../json/shortened.ts';
import { measureJson } from '../json/text.ts';
import {
  MAX_APPLIED,
  MAX_ENUM_VALUES,
  MAX_FAULTS,
  MAX_KEYWORDS,
  MAX_PATTERN_INSTRUCTIONS,
  MAX_PROPERTIES,
  MAX_SCHEMA_DEPTH,
  MAX_SCHEMA_LENGTH,
  MAX_SCHEMA_NAME,
  MAX_SCHEMA_PATH,
  MAX_SUBSCHEMAS,
} from '../limits.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import {
  type DefinitionFault,
  isObject,
  patternsOf,
  pointerOf,
  type SchemaDocument,
  type SchemaNode,
  subschemasOf,
} from './document.ts';
import { pointerStep } from './json-pointer.ts';
import { examinePattern } from './linear-regex.ts';
import { EVALUATION_KEYWORD } from './normalizer.ts';

/** The faults of a schema that is too large to be examined; to be checked before any recursive function reads it. */
export function checkExtent(schema: JsonObject): DefinitionFault[] {
  if (measureJson(schema, MAX_SCHEMA_DEPTH).depth > MAX_SCHEMA_DEPTH) {
    return [{ pointer: '', message: `must not be nested deeper than ${MAX_SCHEMA_DEPTH} levels` }];
  }
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH) {
    return [{ pointer: '', message: `must not be longer than ${MAX_SCHEMA_LENGTH} characters` }];
  }
  return nameFaults(schema);
}

/** Messages, and what is kept of a schema, repeat its names: for each subschema, reference or fault. */
function nameFaults(schema: JsonObject): DefinitionFault[] {
  const open: { value: JsonValue; path: number }[] = [{ value: schema, path: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const isList = Array.isArray(next.value);
    for (const [name, value] of Object.entries(next.value as JsonObject)) {
      if (!isList && name.length > MAX_SCHEMA_NAME) {
        const shown = shortened(name, 40);
        return [{ pointer: '', message: `must not have names longer than ${MAX_SCHEMA_NAME} characters: "${shown}"` }];
      }
      const path = next.path + name.length + 1;
      if (path > MAX_SCHEMA_PATH) {
        return [{ pointer: '', message: `must not nest names of more than ${MAX_SCHEMA_PATH} characters together` }];
      }
      if (typeof value === 'object' && value !== null) open.push({ value, path });
    }
  }
  return [];
}

/** Parts that would make validation slow or endless, or cannot be followed. Pointers are relative to the schema. */
export function checkLimits(document: SchemaDocument): DefinitionFault[] {
  return [...keywordFaults(document), ...patternFaults(document), ...applicationFaults(document)];
}

/**
 * Whether a schema has more properties, subschemas or keywords than allowed; counting stops there. Values of the wrong shape are
 * left to the check against the metaschema.
 */
export function checkCounts(schema: JsonObject): DefinitionFault[] {
  let properties = 0;
  let subschemas = 0;
  let keywords = 0;
  const open: JsonObject[] = [schema];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    properties += countProperties(next);
    keywords += Object.keys(next).length;
    if (keywords > MAX_KEYWORDS) {
      return [{ pointer: '', message: `must not have more than ${MAX_KEYWORDS} keywords` }];
    }
    if (properties > MAX_PROPERTIES) {
      return [{ pointer: '', message: `must not have more than ${MAX_PROPERTIES} properties` }];
    }
    for (const part of subschemasOf(next)) {
      subschemas += 1;
      // the root is one, too
      if (subschemas >= MAX_SUBSCHEMAS) {
        return [{ pointer: '', message: `must not have more than ${MAX_SUBSCHEMAS} subschemas` }];
      }
      if (isObject(part.schema)) open.push(part.schema);
    }
  }
  return [];
}

function countProperties(schema: JsonObject | boolean): number {
  return isObject(schema) && isObject(schema.properties) ? Object.keys(schema.properties).length : 0;
}

/**
 * Keywords that would change how validation works, or that the validator interprets differently from JSON Schema:
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

/** The first of all subschemas. */
function keywordFaults({ nodes }: SchemaDocument): DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  for (const node of nodes) {
    for (const [keyword, message] of faultyKeywords(node)) {
      faults.push({ pointer: `${pointerOf(node)}${pointerStep(keyword)}`, message });
      if (faults.length >= MAX_FAULTS) return faults;
    }
  }
  return faults;
}

function* faultyKeywords({ parent, schema }: SchemaNode): Generator<readonly [string, string]> {
  if (typeof schema === 'boolean') return;
  if (Array.isArray(schema.enum) && schema.enum.length > MAX_ENUM_VALUES) {
    yield ['enum', `must not have more than ${MAX_ENUM_VALUES} values`];
  }
  for (const refused of REFUSED_KEYWORDS) if (Object.hasOwn(schema, refused[0])) yield refused;
  if (parent !== null && typeof schema.$id === 'string' && !schema.$id.startsWith('#')) {
    yield ['$id', 'is supported at the root of a schema only'];
  }
}

/** Unsupported patterns, up to the one that exceeds the limit. */
function patternFaults({ nodes }: SchemaDocument): DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  let instructions = 0;
  for (const node of nodes) {
    for (const { step, pattern } of patternsOf(node)) {
      const fault = (message: string) => faults.push({ pointer: pointerOf(node) + step, message });
      const examined = examinePattern(pattern);
      if ('fault' in examined) fault(unsupported(examined.fault));
      else instructions += examined.size;
      if (instructions > MAX_PATTERN_INSTRUCTIONS) {
        fault('the patterns of the schema are too large together');
        return faults;
      }
      if (faults.length >= MAX_FAULTS) return faults;
    }
  }
  return faults;
}

const unsupported = (reason: string): string =>
  `is no regular expression that can be matched in linear time (no lookaround, no back-references): ${reason}`;

/** Finds `$ref`s that lead back to the value where they started, and combinators that multiply beyond the limit. */
function applicationFaults({ nodes }: SchemaDocument): DefinitionFault[] {
  const applied = new Map<SchemaNode, number>();
  for (const component of stronglyConnectedComponents(nodes, sameValueSchemas)) {
    const [node] = component;
    if (node === undefined) continue;
    const together = sameValueSchemas(node);
    if (component.length > 1 || together.includes(node)) {
      // every loop contains a `$ref`; the first member that has one names the loop
      const referring = component.find(({ target }) => target !== undefined) ?? node;
      return [{ pointer: `${pointerOf(referring)}/$ref`, message: 'leads back to itself for the same value' }];
    }
    const count = together.reduce((sum, next) => sum + (applied.get(next) ?? 0), 1);
    if (count > MAX_APPLIED) {
      return [{ pointer: pointerOf(node), message: `applies more than ${MAX_APPLIED} subschemas to one value` }];
    }
    applied.set(node, count);
  }
  return [];
}

/** Subschemas that apply to the same value as this one, right below it or by its local `$ref`. */
function sameValueSchemas({ edges, target }: SchemaNode): SchemaNode[] {
  const inPlace = edges.filter((edge) => edge.relation === 'inPlace').map((edge) => edge.to);
  return target === undefined ? inPlace : [...inPlace, target];
}
