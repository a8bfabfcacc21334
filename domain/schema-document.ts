import { parsePointer, pointerStep } from './json-pointer.ts';
import type { JsonObject, JsonValue } from './resource.ts';

/** What is wrong with a request to define a schema, and where: a JSON pointer into the request. */
export interface DefinitionFault {
  readonly pointer: string;
  readonly message: string;
}

/**
 * How a subschema applies to a value: to the very value (`inPlace`), to the fields and items that references may stand under
 * (`property`, `items`), to other parts of it (`part`), or only where a `$ref` names it (`named`).
 */
export type Relation = 'inPlace' | 'property' | 'items' | 'part' | 'named';

type Shape = 'single' | 'list' | 'map';

/** The keywords that hold subschemas, of both drafts; `items` is told apart by what it holds. */
const KEYWORDS = new Map<string, readonly [Shape, Relation]>([
  ['not', ['single', 'inPlace']],
  ['if', ['single', 'inPlace']],
  ['then', ['single', 'inPlace']],
  ['else', ['single', 'inPlace']],
  ['allOf', ['list', 'inPlace']],
  ['anyOf', ['list', 'inPlace']],
  ['oneOf', ['list', 'inPlace']],
  ['dependencies', ['map', 'inPlace']],
  ['dependentSchemas', ['map', 'inPlace']],
  ['properties', ['map', 'property']],
  ['patternProperties', ['map', 'part']],
  ['additionalProperties', ['single', 'part']],
  ['unevaluatedProperties', ['single', 'part']],
  ['propertyNames', ['single', 'part']],
  ['prefixItems', ['list', 'part']],
  ['additionalItems', ['single', 'part']],
  ['unevaluatedItems', ['single', 'part']],
  ['contains', ['single', 'part']],
  ['definitions', ['map', 'named']],
  ['$defs', ['map', 'named']],
]);

/** A subschema of a definition; a boolean schema has no edges. */
export interface SchemaNode {
  /** JSON pointer from the root of the schema, which is ''. */
  readonly pointer: string;
  readonly schema: JsonObject | boolean;
  readonly edges: readonly SchemaEdge[];
}

export interface SchemaEdge {
  readonly relation: Relation;
  /** Name of the field, for a `property`. */
  readonly name: string;
  readonly to: SchemaNode;
}

export interface SchemaDocument {
  readonly root: SchemaNode;
  /** Every subschema by its pointer. */
  readonly nodes: ReadonlyMap<string, SchemaNode>;
  /** Every subschema that has a name of its own (`$anchor`, or draft-07's `$id: "#name"`). */
  readonly anchors: ReadonlyMap<string, SchemaNode>;
}

/** Finds every subschema. Recursive: for schemas of bounded depth. */
export function readSchemaDocument(schema: JsonObject): SchemaDocument {
  const nodes = new Map<string, SchemaNode>();
  const anchors = new Map<string, SchemaNode>();
  const read = (value: JsonObject | boolean, pointer: string): SchemaNode => {
    const edges: SchemaEdge[] = [];
    const node = { pointer, schema: value, edges };
    nodes.set(pointer, node);
    if (typeof value === 'boolean') return node;
    for (const anchor of anchorsOf(value)) anchors.set(anchor, node);
    for (const part of subschemasOf(value)) {
      edges.push({ relation: part.relation, name: part.name ?? '', to: read(part.schema, pointer + part.step) });
    }
    return node;
  };
  return { root: read(schema, ''), nodes, anchors };
}

function anchorsOf(schema: JsonObject): string[] {
  const { $id, $anchor, $dynamicAnchor } = schema;
  const named = typeof $id === 'string' && /^#./.test($id) ? $id.slice(1) : undefined;
  return [named, $anchor, $dynamicAnchor].filter((anchor) => typeof anchor === 'string');
}

export interface Subschema {
  readonly relation: Relation;
  readonly keyword: string;
  /** Key or index under the keyword; null where the keyword's value is the subschema. */
  readonly name: string | null;
  /** JSON pointer from the schema that holds it. */
  readonly step: string;
  readonly schema: JsonObject | boolean;
}

/** The subschemas right below a schema. What has the wrong shape is left to the check against the metaschema. */
export function* subschemasOf(schema: JsonObject): Generator<Subschema> {
  for (const [keyword, value] of Object.entries(schema)) {
    const [shape, relation] = keyword === 'items' ? itemsKeyword(schema) : (KEYWORDS.get(keyword) ?? []);
    if (shape === undefined || relation === undefined) continue;
    const holder = pointerStep(keyword);
    if (shape === 'single') {
      if (isSchema(value)) yield { relation, keyword, name: null, step: holder, schema: value };
    } else if (Array.isArray(value) ? shape === 'list' : shape === 'map' && isObject(value)) {
      for (const [name, part] of Object.entries(value as JsonObject)) {
        if (isSchema(part)) yield { relation, keyword, name, step: holder + pointerStep(name), schema: part };
      }
    }
  }
}

/** References stand for every item; a list of schemas, and `items` after `prefixItems`, is about some of them only. */
function itemsKeyword(schema: JsonObject): readonly [Shape, Relation] {
  if (Array.isArray(schema.items)) return ['list', 'part'];
  return ['single', Object.hasOwn(schema, 'prefixItems') ? 'part' : 'items'];
}

export function isSchema(value: JsonValue | undefined): value is JsonObject | boolean {
  return typeof value === 'boolean' || isObject(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The regular expressions of a subschema, each with its pointer. */
export function patternsOf({ pointer, schema }: SchemaNode): { pointer: string; pattern: string }[] {
  if (typeof schema === 'boolean') return [];
  const { pattern, patternProperties } = schema;
  const keys = isObject(patternProperties) ? Object.keys(patternProperties) : [];
  return [
    ...(typeof pattern === 'string' ? [{ pointer: `${pointer}/pattern`, pattern }] : []),
    ...keys.map((key) => ({ pointer: `${pointer}/patternProperties${pointerStep(key)}`, pattern: key })),
  ];
}

/** What a `$ref` inside the document (`#…`) points at; undefined where that is no subschema. */
export function resolveLocal(document: SchemaDocument, ref: string): SchemaNode | undefined {
  if (!ref.startsWith('#')) return undefined;
  try {
    const fragment = decodeURIComponent(ref.slice(1));
    if (fragment !== '' && !fragment.startsWith('/')) return document.anchors.get(fragment);
    // written again, so that both spellings of an escape find it
    return document.nodes.get(parsePointer(fragment).map(pointerStep).join(''));
  } catch {
    return undefined;
  }
}
