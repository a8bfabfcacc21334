import { Ajv, type ErrorObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { shortened } from '../json/shortened.ts';
import { measureJson, sameJson } from '../json/text.ts';
import { MAX_DESCRIPTION_LENGTH, MAX_FAULTS, MAX_NAME_LENGTH, MAX_SCHEMA_DEPTH } from '../limits.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';
import { type DefinitionFault, isObject, readSchemaDocument } from './document.ts';
import { addEqualityKeywords } from './equality-keywords.ts';
import { checkCounts, checkExtent, checkLimits } from './extent.ts';
import { pointerStep } from './json-pointer.ts';
import { type Draft, draftOf } from './normalizer.ts';
import { checkReferences } from './references.ts';

/** A type of resources of a platform. */
export interface SchemaDefinition {
  readonly id: string;
  readonly platform: string;
  readonly name: string;
  readonly pluralName?: string;
  readonly description?: string;
  readonly externalIdField: string;
  readonly schema: JsonObject;
  /** Names and ids of the schema definitions that it refers to, as written. */
  readonly referenceSchemas: readonly string[];
  readonly versionNumber: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The form of names and plural names; they are compared without regard to case. */
export const NAME_PATTERN = /^[a-zA-Z0-9_-]+$/;
export const DEFAULT_EXTERNAL_ID_FIELD = 'externalId';
/** Longest pointer of a fault, in characters. */
const MAX_POINTER_LENGTH = 1_000;

/** A definition as a caller requests it, checked. */
export interface SchemaDefinitionInput {
  readonly name: string;
  readonly pluralName?: string;
  readonly description?: string;
  readonly externalIdField: string;
  readonly schema: JsonObject;
}

const UUID_PATTERN = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether this can be the id of a schema definition, and so no name of a new one. */
export const isDefinitionId = (nameOrId: string): boolean => UUID_PATTERN.test(nameOrId);

/** Names of a new definition that look like an id: where a name or an id is accepted, the id has precedence. */
export function idLikeNames({
  name,
  pluralName,
}: Pick<SchemaDefinitionInput, 'name' | 'pluralName'>): DefinitionFault[] {
  const message = 'must not look like an id (a UUID)';
  return [
    ...(isDefinitionId(name) ? [{ pointer: '/name', message }] : []),
    ...(pluralName !== undefined && isDefinitionId(pluralName) ? [{ pointer: '/pluralName', message }] : []),
  ];
}

type CheckedDefinition = { readonly input: SchemaDefinitionInput } | { readonly faults: readonly DefinitionFault[] };

/**
 * Checks a request to define a schema; the route checks which fields it may have.
 * @param stored a schema that was accepted before, and stays accepted, whatever is refused in new ones.
 * @returns the definition with defaults filled in, or every fault with a JSON pointer into the request, at most 100.
 */
export function checkDefinition(request: JsonValue, stored?: JsonObject): CheckedDefinition {
  if (!isObject(request)) return { faults: [{ pointer: '', message: 'must be an object' }] };
  const { name, pluralName, description, schema } = request;
  const externalIdField = request.externalIdField ?? DEFAULT_EXTERNAL_ID_FIELD;
  const faults = [
    ...nameFaults('name', name),
    ...(pluralName === undefined ? [] : nameFaults('pluralName', pluralName)),
    ...textFaults('description', description ?? '', 0, MAX_DESCRIPTION_LENGTH),
    ...textFaults('externalIdField', externalIdField, 1, MAX_NAME_LENGTH),
  ];
  const field = typeof externalIdField === 'string' ? externalIdField : DEFAULT_EXTERNAL_ID_FIELD;
  const isStored = stored !== undefined && schema !== undefined && sameJson(schema, stored);
  for (const { pointer, message } of isStored ? [] : checkSchema(schema, field)) {
    faults.push({ pointer: shortened(`/schema${pointer}`, MAX_POINTER_LENGTH), message });
  }
  if (faults.length > 0) return { faults: faults.slice(0, MAX_FAULTS) };
  return {
    input: {
      name: name as string,
      ...(typeof pluralName === 'string' && { pluralName }),
      ...(typeof description === 'string' && { description }),
      externalIdField: field,
      schema: schema as JsonObject,
    },
  };
}

function nameFaults(field: string, value: JsonValue | undefined): DefinitionFault[] {
  if (value === undefined) return [{ pointer: `/${field}`, message: 'is required' }];
  if (typeof value === 'string' && NAME_PATTERN.test(value) && value.length <= MAX_NAME_LENGTH) return [];
  const message = `must be 1 to ${MAX_NAME_LENGTH} letters, digits, "_" or "-"`;
  return [{ pointer: `/${field}`, message }];
}

function textFaults(field: string, value: JsonValue, min: number, max: number): DefinitionFault[] {
  if (typeof value === 'string' && value.length >= min && value.length <= max) return [];
  return [{ pointer: `/${field}`, message: `must be a string of ${min} to ${max} characters` }];
}

/**
 * All faults of the schema of a definition, except those that only compiling shows (`compilationFault`); pointers are
 * relative to it.
 * @internal exported for tests, which check it by itself
 */
export function checkSchema(schema: JsonValue | undefined, externalIdField: string): DefinitionFault[] {
  if (schema === undefined) return [{ pointer: '', message: 'is required' }];
  if (!isObject(schema)) return [{ pointer: '', message: 'must be a JSON Schema: an object' }];
  const extent = checkExtent(schema);
  if (extent.length > 0) return extent;
  const draft = draftOf(schema);
  if (draft === undefined) return [{ pointer: '/$schema', message: 'must be that of draft-07 or of 2020-12' }];
  const counts = checkCounts(schema);
  if (counts.length > 0) return counts;
  const malformed = metaschemaFaults(schema, draft);
  if (malformed.length > 0) return malformed;
  const document = readSchemaDocument(schema);
  const faults = [...rootFaults(schema, externalIdField), ...checkLimits(document)];
  // code that follows `$ref`s relies on the limits
  if (faults.length === 0) faults.push(...checkReferences(document).faults);
  return faults;
}

function rootFaults(schema: JsonObject, externalIdField: string): DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  if (schema.type !== 'object') faults.push({ pointer: '/type', message: 'must be "object"' });
  const properties = isObject(schema.properties) ? schema.properties : {};
  const field = Object.hasOwn(properties, externalIdField) ? properties[externalIdField] : true;
  const pointer = `/properties${pointerStep(externalIdField)}`;
  if (field === false) faults.push({ pointer, message: 'the external id field must be allowed' });
  if (isObject(field) && field.type !== undefined && ![field.type].flat().includes('string')) {
    faults.push({ pointer: `${pointer}/type`, message: 'the external id field must be a string' });
  }
  return faults;
}

const METASCHEMAS: Readonly<Record<Draft, string>> = {
  'draft-07': 'http://json-schema.org/draft-07/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
};
/** Validators: one finds the first fault, one all of them. */
interface MetaschemaValidators {
  readonly first: Ajv;
  readonly all: Ajv;
}
const metaschemaValidators: Readonly<Record<Draft, MetaschemaValidators>> = {
  'draft-07': { first: metaschemaValidator(Ajv, false), all: metaschemaValidator(Ajv, true) },
  '2020-12': { first: metaschemaValidator(Ajv2020, false), all: metaschemaValidator(Ajv2020, true) },
};
/** For a schema with more values than this only the first fault is reported: each value may have one. */
const MAX_VALUES_FOR_ALL_FAULTS = 5_000;

function metaschemaValidator(dialect: typeof Ajv | typeof Ajv2020, allErrors: boolean): Ajv {
  const ajv = new dialect({ strict: false, logger: false, ownProperties: true, allErrors });
  addEqualityKeywords(ajv);
  return ajv;
}

/** A keyword with a wrong value, by its pointer. Unknown keywords are no faults. */
function metaschemaFaults(schema: JsonObject, draft: Draft): DefinitionFault[] {
  const { first, all } = metaschemaValidators[draft];
  if (first.validate(METASCHEMAS[draft], schema) === true) return [];
  if (measureJson(schema, MAX_SCHEMA_DEPTH).values > MAX_VALUES_FOR_ALL_FAULTS) {
    return ownFaults(first.errors ?? []).slice(0, 1);
  }
  all.validate(METASCHEMAS[draft], schema);
  return ownFaults(all.errors ?? []);
}

/** Of several errors at one place the first is the most informative: the others concern alternatives that failed too. */
function ownFaults(errors: readonly ErrorObject[]): DefinitionFault[] {
  const faults = new Map<string, DefinitionFault>();
  for (const { instancePath, message = 'is not valid' } of errors) {
    if (faults.size >= MAX_FAULTS) break;
    if (!faults.has(instancePath)) faults.set(instancePath, { pointer: instancePath, message });
  }
  return [...faults.values()];
}
