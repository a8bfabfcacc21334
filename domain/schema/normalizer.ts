import { MAX_EXTERNAL_ID } from '../limits.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import { isObject, subschemasOf } from './document.ts';
import { WHOLE_CHARACTERS_FORMAT } from './formats.ts';
import { referenceTarget } from './references.ts';

/** A keyword beside every local `$ref`: counts how often it is followed. */
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
  /** Properties that were moved away from `properties`: `__proto__`, which Ajv ignores there. */
  readonly renamed: ReadonlySet<string>;
}

/**
 * A schema in the form that the validator needs: references to resources are strings, the external id field is present, and the document
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
  // refused in new definitions; a schema that was stored before is validated as if the keyword did not exist
  result.delete('$async');
  return withPrototypeField(Object.fromEntries(result));
}

/** Keywords beside a `$ref` are applied in 2020-12 and ignored in draft-07. */
function reference({ $ref: _target, ...beside }: JsonObject, draft2020: boolean): JsonObject {
  return draft2020 && Object.keys(beside).length > 0
    ? { ...EXTERNAL_ID, allOf: [normalize(beside, draft2020)] }
    : { ...EXTERNAL_ID };
}

/** Ajv ignores a property called `__proto__`, but not under a pattern. */
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
