import { MAX_EXTERNAL_ID } from '../limits.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import { isObject, subschemasOf } from './document.ts';
import { WHOLE_CHARACTERS_FORMAT } from './formats.ts';
import { referenceTarget } from './references.ts';

/** Beside every local `$ref`: counts how often one is followed. */
export const EVALUATION_KEYWORD = 'x-drover-evaluation';

const DRAFT_2020 = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;
const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/;

const EXTERNAL_ID: JsonObject = {
  type: 'string',
  minLength: 1,
  maxLength: MAX_EXTERNAL_ID,
  format: WHOLE_CHARACTERS_FORMAT,
};

export type Draft = 'draft-07' | '2020-12';

/** The draft that a schema is written in; undefined for one that is not supported. */
export function draftOf(schema: JsonObject): Draft | undefined {
  const { $schema } = schema;
  if ($schema === undefined || (typeof $schema === 'string' && DRAFT_07.test($schema))) return 'draft-07';
  return typeof $schema === 'string' && DRAFT_2020.test($schema) ? '2020-12' : undefined;
}

interface ValidatableSchema {
  readonly schema: JsonObject;
  readonly draft2020: boolean;
  /** Properties that are not under `properties` any more: `__proto__`, which Ajv passes over there. */
  readonly renamed: ReadonlySet<string>;
}

/**
 * A schema as the validator takes it: references to resources are strings, the external id field is there, and the document
 * has no address of its own.
 */
export function validatableSchema(schema: JsonObject, externalIdField: string): ValidatableSchema {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const draft2020 = draftOf(schema) === '2020-12';
  const implied = Object.hasOwn(properties, externalIdField)
    ? schema
    : {
        ...schema,
        properties: Object.fromEntries([...Object.entries(properties), [externalIdField, EXTERNAL_ID]]),
        required: [...new Set([...(Array.isArray(schema.required) ? schema.required : []), externalIdField])],
      };
  const { $schema: _draft, $id: _address, ...rest } = normalize(implied, draft2020);
  return {
    schema: rest,
    draft2020,
    renamed: new Set(Object.hasOwn(implied.properties as JsonObject, '__proto__') ? ['__proto__'] : []),
  };
}

function normalize(schema: JsonObject, draft2020: boolean): JsonObject {
  if (referenceTarget(schema.$ref) !== undefined) return reference(schema, draft2020);
  const result = new Map<string, JsonValue>(Object.entries(schema));
  const replaced = new Map<string, Map<string, JsonValue>>();
  for (const part of subschemasOf(schema)) {
    const inner = isObject(part.schema) ? normalize(part.schema, draft2020) : part.schema;
    if (part.name === null) result.set(part.keyword, inner);
    else {
      const parts = replaced.get(part.keyword) ?? new Map(Object.entries(schema[part.keyword] as JsonObject));
      replaced.set(part.keyword, parts.set(part.name, inner));
    }
  }
  for (const [keyword, parts] of replaced) {
    result.set(keyword, Array.isArray(schema[keyword]) ? [...parts.values()] : Object.fromEntries(parts));
  }
  if (typeof schema.$ref === 'string') result.set(EVALUATION_KEYWORD, true);
  // refused in new definitions; one that was stored before validates as if it were not there
  result.delete('$async');
  return withPrototypeField(Object.fromEntries(result));
}

/** What stands beside a `$ref` counts in 2020-12 and is passed over in draft-07. */
function reference({ $ref: _target, ...beside }: JsonObject, draft2020: boolean): JsonObject {
  return draft2020 && Object.keys(beside).length > 0
    ? { ...EXTERNAL_ID, allOf: [normalize(beside, draft2020)] }
    : { ...EXTERNAL_ID };
}

/** Ajv passes over a property called `__proto__`; under a pattern it does not. */
function withPrototypeField(schema: JsonObject): JsonObject {
  const { properties, patternProperties } = schema;
  if (!isObject(properties) || !Object.hasOwn(properties, '__proto__')) return schema;
  const { ['__proto__']: field, ...rest } = properties;
  return {
    ...schema,
    properties: rest,
    patternProperties: { ...(isObject(patternProperties) ? patternProperties : {}), '^__proto__$': field as JsonValue },
  };
}
