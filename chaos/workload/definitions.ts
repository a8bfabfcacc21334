import type { JsonObject } from './answers.ts';

/** A place of a resource that refers to others: the way to it, and the kind that it refers to. */
interface ReferencePlace {
  readonly path: readonly string[];
  readonly isArray: boolean;
  readonly target: KindName;
}

export type KindName = 'place' | 'person' | 'team' | 'part';

/** A schema definition of the workload, with what checker and clients know of it: nothing is asked of the service. */
export interface Kind {
  readonly name: KindName;
  readonly idField: string;
  /** Required beside the external id. */
  readonly required: readonly string[];
  /** Fields of free text; clients write unique values into them. */
  readonly texts: readonly string[];
  readonly references: readonly ReferencePlace[];
  readonly schema: JsonObject;
}

const text = { type: 'string' };
const reference = (name: KindName) => ({ $ref: `reach:schemas/${name}` });

/** Without references; with references and arrays of them, to itself too; in cycles; below the top level, with an id field of its own. */
export const KINDS: readonly Kind[] = [
  kind('place', { required: ['name'] }, {}, []),
  kind(
    'person',
    { required: ['name'] },
    {
      boss: reference('person'),
      friends: { type: 'array', items: reference('person') },
      home: reference('place'),
      team: reference('team'),
    },
    [
      { path: ['boss'], isArray: false, target: 'person' },
      { path: ['friends'], isArray: true, target: 'person' },
      { path: ['home'], isArray: false, target: 'place' },
      { path: ['team'], isArray: false, target: 'team' },
    ],
  ),
  kind('team', {}, { lead: reference('person'), places: { type: 'array', items: reference('place') } }, [
    { path: ['lead'], isArray: false, target: 'person' },
    { path: ['places'], isArray: true, target: 'place' },
  ]),
  kind(
    'part',
    { idField: 'sku' },
    {
      parts: { type: 'array', items: reference('part') },
      details: { type: 'object', properties: { origin: reference('place') } },
    },
    [
      { path: ['parts'], isArray: true, target: 'part' },
      { path: ['details', 'origin'], isArray: false, target: 'place' },
    ],
  ),
];

function kind(
  name: KindName,
  { idField = 'externalId', required = [] }: { idField?: string; required?: string[] },
  more: JsonObject,
  references: readonly ReferencePlace[],
): Kind {
  const texts = ['name', 'note', 'motto'];
  const properties = {
    [idField]: text,
    ...Object.fromEntries(texts.map((field) => [field, text])),
    size: { type: 'integer' },
    ...more,
  };
  return {
    name,
    idField,
    required,
    texts,
    references,
    schema: { type: 'object', properties, required: [idField, ...required] },
  };
}

/**
 * Another version of a kind: with one more field, of text or of references to the kind itself. No client writes it, so everything
 * that clients know of the kind stays true.
 */
export function changedSchema({ name, schema }: Kind, version: number, refers: boolean): JsonObject {
  const properties = schema.properties as JsonObject;
  return { ...schema, properties: { ...properties, [`extra${version}`]: refers ? reference(name) : text } };
}

/** @throws for a name that is not of this workload. */
export function kindOf(name: string): Kind {
  const found = KINDS.find((known) => known.name === name);
  if (found === undefined) throw new Error(`no kind of this workload: ${name}`);
  return found;
}

export interface FoundReference {
  readonly kind: KindName;
  readonly externalId: string;
}

/** What a body refers to, each target once. */
export function referencesOf({ references }: Kind, body: JsonObject): FoundReference[] {
  const found = new Map<string, FoundReference>();
  for (const { path, isArray, target } of references) {
    let value: unknown = body;
    for (const step of path)
      value = typeof value === 'object' && value !== null ? (value as JsonObject)[step] : undefined;
    for (const externalId of isArray && Array.isArray(value) ? value : [value]) {
      if (typeof externalId === 'string') found.set(`${target}/${externalId}`, { kind: target, externalId });
    }
  }
  return [...found.values()];
}

/** Whether the top level of a kind has this field. */
export function isKnownField({ schema }: Kind, field: string): boolean {
  return Object.hasOwn(schema.properties as JsonObject, field);
}
