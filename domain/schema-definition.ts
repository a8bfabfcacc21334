import { Ajv, type ErrorObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { addEqualityKeywords } from './equality-keywords.ts';
import { pointerStep } from './json-pointer.ts';
import type { JsonObject, JsonValue } from './resource.ts';
import { type DefinitionFault, isObject, readSchemaDocument } from './schema-document.ts';
import { checkExtent, checkLimits } from './schema-limits.ts';
import { type Draft, draftOf } from './schema-normalizer.ts';
import { checkReferences } from './schema-references.ts';

/** A type of resources of a platform (contract section 1). */
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

/** What names and plural names look like; they are compared without regard to case. */
export const NAME_PATTERN = /^[a-zA-Z0-9_-]+$/;
export const MAX_NAME_LENGTH = 128;
export const MAX_DESCRIPTION_LENGTH = 10_000;
export const DEFAULT_EXTERNAL_ID_FIELD = 'externalId';

/** Most faults told of one definition. */
export const MAX_DEFINITION_FAULTS = 100;

/** A definition as a caller asks for it, checked. */
export interface SchemaDefinitionInput {
  readonly name: string;
  readonly pluralName?: string;
  readonly description?: string;
  readonly externalIdField: string;
  readonly schema: JsonObject;
}

const UUID_PATTERN = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Names of a new definition that could be taken for an id: where a name or an id is taken, the id goes first. */
export function idLikeNames({
  name,
  pluralName,
}: Pick<SchemaDefinitionInput, 'name' | 'pluralName'>): DefinitionFault[] {
  const message = 'must not look like an id (a UUID)';
  return [
    ...(UUID_PATTERN.test(name) ? [{ pointer: '/name', message }] : []),
    ...(pluralName !== undefined && UUID_PATTERN.test(pluralName) ? [{ pointer: '/pluralName', message }] : []),
  ];
}

export type CheckedDefinition =
  | { readonly input: SchemaDefinitionInput }
  | { readonly faults: readonly DefinitionFault[] };

/**
 * Checks a request to define a schema; which fields it may have is the route's to say.
 * @returns the definition with defaults filled in, or every fault with a JSON pointer into the request, at most 100.
 */
export function checkDefinition(request: JsonValue): CheckedDefinition {
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
  for (const { pointer, message } of checkSchema(schema, field)) faults.push({ pointer: `/schema${pointer}`, message });
  if (faults.length > 0) return { faults: faults.slice(0, MAX_DEFINITION_FAULTS) };
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
 * Everything that is wrong with the schema of a definition, but for what only compiling it shows (`compilationFault`); pointers are
 * relative to it.
 */
export function checkSchema(schema: JsonValue | undefined, externalIdField: string): DefinitionFault[] {
  if (schema === undefined) return [{ pointer: '', message: 'is required' }];
  if (!isObject(schema)) return [{ pointer: '', message: 'must be a JSON Schema: an object' }];
  const extent = checkExtent(schema);
  if (extent.length > 0) return extent;
  const draft = draftOf(schema);
  if (draft === undefined) return [{ pointer: '/$schema', message: 'must be that of draft-07 or of 2020-12' }];
  const malformed = metaschemaFaults(schema, draft);
  if (malformed.length > 0) return malformed;
  const document = readSchemaDocument(schema);
  const faults = [...rootFaults(schema, externalIdField), ...checkLimits(document)];
  // what follows `$ref`s relies on the limits
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
const metaschemaValidators: Readonly<Record<Draft, Ajv>> = {
  'draft-07': metaschemaValidator(Ajv),
  '2020-12': metaschemaValidator(Ajv2020),
};

function metaschemaValidator(dialect: typeof Ajv | typeof Ajv2020): Ajv {
  const ajv = new dialect({ strict: false, logger: false, ownProperties: true, allErrors: true });
  addEqualityKeywords(ajv);
  return ajv;
}

/** A keyword with a wrong value, by its own pointer. Unknown keywords are no faults. */
function metaschemaFaults(schema: JsonObject, draft: Draft): DefinitionFault[] {
  const ajv = metaschemaValidators[draft];
  if (ajv.validate(METASCHEMAS[draft], schema) === true) return [];
  return ownFaults(ajv.errors ?? []);
}

/** Of several errors at one place the first says most: the others are about the alternatives that it failed too. */
function ownFaults(errors: readonly ErrorObject[]): DefinitionFault[] {
  const faults = new Map<string, DefinitionFault>();
  for (const { instancePath, message = 'is not valid' } of errors) {
    if (!faults.has(instancePath)) faults.set(instancePath, { pointer: instancePath, message });
  }
  return [...faults.values()];
}
