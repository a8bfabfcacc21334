import type { JsonObject, JsonValue } from '../write/resource.ts';
import { parsePointer, pointerStep } from './json-pointer.ts';

/** A fault of a request to define a schema, with its place: a JSON pointer into the request. */
export interface DefinitionFault {
  readonly pointer: string;
  readonly message: string;
}

/**
 * How a subschema applies to a value: to the value itself (`inPlace`), to its fields and items, which may contain references
 * (`property`, `items`), to other parts of it (`part`), or only if a `$ref` names it (`named`).
 */
type Relation = 'inPlace' | 'property' | 'items' | 'part' | 'named';

type Shape = 'single' | 'list' | 'map';

/** The keywords that contain subschemas, of both drafts; the meaning of `items` depends on its content. */
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

/**
 * A subschema of a definition; a boolean schema has no edges. Its pointer is written out only where it is reported (`pointerOf`): for
 * thousands of subschemas below a long name, all pointers together would take more memory than there is.
 */
export interface SchemaNode {
  /** null at the root. */
  readonly parent: SchemaNode | null;
  /** JSON pointer from the parent; '' at the root. */
  readonly step: string;
  readonly schema: JsonObject | boolean;
  readonly edges: readonly SchemaEdge[];
  /** The target of its local `$ref`; undefined if it has none, or if the target does not exist. */
  readonly target: SchemaNode | undefined;
}

export interface SchemaEdge {
  readonly relation: Relation;
  readonly keyword: string;
  /** Name of the field, for a `property`. */
  readonly name: string;
  readonly to: SchemaNode;
}

export interface SchemaDocument {
  readonly root: SchemaNode;
  /** Every subschema. */
  readonly nodes: readonly SchemaNode[];
}

type Anchors = ReadonlyMap<string, SchemaNode>;

/** Finds every subschema. Recursive: for schemas of bounded depth. */
export function readSchemaDocument(schema: JsonObject): SchemaDocument {
  const nodes: { -readonly [K in keyof SchemaNode]: SchemaNode[K] }[] = [];
  // every subschema that has a name of its own (`$anchor`, or draft-07's `$id: "#name"`)
  const anchors = new Map<string, SchemaNode>();
  const read = (value: JsonObject | boolean, parent: SchemaNode | null, step: string): SchemaNode => {
    const edges: SchemaEdge[] = [];
    const node: SchemaNode = { parent, step, schema: value, edges, target: undefined };
    nodes.push(node);
    if (typeof value === 'boolean') return node;
    for (const anchor of anchorsOf(value)) anchors.set(anchor, node);
    for (const part of subschemasOf(value)) {
      const { relation, keyword, name } = part;
      edges.push({ relation, keyword, name: name ?? '', to: read(part.schema, node, part.step) });
    }
    return node;
  };
  const root = read(schema, null, '');
  const steps = new StepIndex();
  for (const node of nodes) {
    const ref = typeof node.schema === 'boolean' ? undefined : node.schema.$ref;
    if (typeof ref === 'string') node.target = resolveLocal(root, anchors, steps, ref);
  }
  return { root, nodes };
}

/** JSON pointer of a subschema from the root of its document, which is ''. */
export function pointerOf(node: SchemaNode): string {
  const steps: string[] = [];
  for (let at: SchemaNode | null = node; at !== null; at = at.parent) steps.push(at.step);
  return steps.reverse().join('');
}

function anchorsOf(schema: JsonObject): string[] {
  const { $id, $anchor, $dynamicAnchor } = schema;
  const named = typeof $id === 'string' && /^#./.test($id) ? $id.slice(1) : undefined;
  return [named, $anchor, $dynamicAnchor].filter((anchor) => typeof anchor === 'string');
}

interface Subschema {
  readonly relation: Relation;
  readonly keyword: string;
  /** Key or index under the keyword; null where the keyword's value is the subschema. */
  readonly name: string | null;
  /** JSON pointer from the schema that holds it. */
  readonly step: string;
  readonly schema: JsonObject | boolean;
}

/** The direct subschemas of a schema. Values of the wrong shape are left to the check against the metaschema. */
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

/** References may be in every item; a list of schemas, and `items` after `prefixItems`, apply to some items only. */
function itemsKeyword(schema: JsonObject): readonly [Shape, Relation] {
  if (Array.isArray(schema.items)) return ['list', 'part'];
  return ['single', Object.hasOwn(schema, 'prefixItems') ? 'part' : 'items'];
}

function isSchema(value: JsonValue | undefined): value is JsonObject | boolean {
  return typeof value === 'boolean' || isObject(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The regular expressions of a subschema, each with its JSON pointer relative to it. */
export function patternsOf({ schema }: SchemaNode): { step: string; pattern: string }[] {
  if (typeof schema === 'boolean') return [];
  const { pattern, patternProperties } = schema;
  const keys = isObject(patternProperties) ? Object.keys(patternProperties) : [];
  return [
    ...(typeof pattern === 'string' ? [{ step: '/pattern', pattern }] : []),
    ...keys.map((key) => ({ step: `/patternProperties${pointerStep(key)}`, pattern: key })),
  ];
}

/** The subschemas below each subschema that a pointer has passed, by their steps. */
class StepIndex {
  readonly #below = new Map<SchemaNode, ReadonlyMap<string, SchemaNode>>();

  below(node: SchemaNode): ReadonlyMap<string, SchemaNode> {
    const known = this.#below.get(node) ?? new Map(node.edges.map(({ to }) => [to.step, to]));
    this.#below.set(node, known);
    return known;
  }
}

/** The target of a `$ref` inside the document (`#…`); undefined if that is no subschema. */
function resolveLocal(root: SchemaNode, anchors: Anchors, index: StepIndex, ref: string): SchemaNode | undefined {
  if (!ref.startsWith('#')) return undefined;
  let fragment: string;
  try {
    fragment = decodeURIComponent(ref.slice(1));
  } catch {
    return undefined;
  }
  if (fragment !== '' && !fragment.startsWith('/')) return anchors.get(fragment);
  // normalized, so that both spellings of an escape find it
  const steps = parsePointer(fragment).map(pointerStep);
  let node: SchemaNode | undefined = root;
  for (let at = 0; at < steps.length && node !== undefined; at++) {
    const below = index.below(node);
    // a keyword holds one subschema, or several by name
    node = below.get(steps[at] ?? '') ?? below.get(`${steps[at]}${steps[++at] ?? ''}`);
  }
  return node;
}
