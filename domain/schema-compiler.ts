import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { addEqualityKeywords } from './equality-keywords.ts';
import { fieldAt, parsePointer } from './json-pointer.ts';
import { measureJson } from './json-text.ts';
import { linearRegex } from './linear-regex.ts';
import { type ItemError, MAX_ERRORS_PER_ITEM } from './outcome.ts';
import type { JsonObject } from './resource.ts';
import { FORMATS } from './schema-formats.ts';
import { EVALUATION_KEYWORD, validatableSchema } from './schema-normalizer.ts';
import { type ReferenceField, referenceFieldsOf } from './schema-references.ts';
import { quoted, shortened } from './shortened.ts';

/** Deepest resource, in objects and arrays inside each other. */
export const MAX_RESOURCE_DEPTH = 200;
/** A resource with more values than this is told its first fault only: each further one could cost as much again. */
const MAX_VALUES_FOR_ALL_FAULTS = 10_000;
/**
 * Most `$ref`s followed in one validation, for any resource, for each value in it, and in all: a recursive schema that
 * branches at every level could take longer than anyone waits.
 */
const BASE_EVALUATIONS = 20_000;
const EVALUATIONS_PER_VALUE = 50;
const MAX_EVALUATIONS = 5_000_000;

/** A schema definition made ready to judge resources. */
export interface CompiledSchema {
  readonly referenceFields: readonly ReferenceField[];
  /** Whether a resource must have this top-level field. */
  isRequired(field: string): boolean;
  /** Top-level fields that `properties` does not name. */
  unknownFields(body: JsonObject): string[];
  /** What is wrong with a whole resource; at most 20 faults, none of which repeats a value. */
  faults(data: JsonObject): ItemError[];
}

/**
 * Compiles a schema that `checkSchema` found nothing wrong with.
 * @throws where the schema is not valid after all.
 */
export function compileSchema(schema: JsonObject, externalIdField: string): CompiledSchema {
  const normalized = validatableSchema(schema, externalIdField);
  const named = new Set(Object.keys(normalized.schema.properties ?? {}));
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const validator = new Validator(normalized.schema, normalized.draft2020);
  return {
    referenceFields: referenceFieldsOf(schema),
    isRequired: (field) => required.has(field) || field === externalIdField,
    unknownFields: (body) => Object.keys(body).filter((field) => !named.has(field) && !normalized.renamed.has(field)),
    faults: (data) => validator.faults(data),
  };
}

/** Whether a schema can be compiled at all: the reason why not, or null. */
export function compilationFault(schema: JsonObject, externalIdField: string): string | null {
  try {
    compileSchema(schema, externalIdField);
    return null;
  } catch (error) {
    if (error instanceof RangeError) return 'its subschemas lead into each other too deeply';
    return error instanceof Error ? error.message.slice(0, 200) : String(error);
  }
}

class EvaluationLimitError extends Error {
  override readonly name = 'EvaluationLimitError';
}

class Validator {
  readonly #schema: JsonObject;
  readonly #draft2020: boolean;
  readonly #first: ValidateFunction;
  /** Made when it is first needed: valid resources never need it. */
  #all: ValidateFunction | undefined;
  #evaluationsLeft = 0;

  constructor(schema: JsonObject, draft2020: boolean) {
    this.#schema = schema;
    this.#draft2020 = draft2020;
    this.#first = this.#compile(false);
  }

  faults(data: JsonObject): ItemError[] {
    const { depth, values } = measureJson(data, MAX_RESOURCE_DEPTH);
    if (depth > MAX_RESOURCE_DEPTH) {
      return [{ code: 'validation', message: `nested deeper than ${MAX_RESOURCE_DEPTH} levels` }];
    }
    try {
      if (this.#passes(this.#first, data, values)) return [];
      if (values > MAX_VALUES_FOR_ALL_FAULTS) return toItemErrors(this.#first.errors);
      this.#all ??= this.#compile(true);
      this.#passes(this.#all, data, values);
      return toItemErrors(this.#all.errors);
    } catch (error) {
      if (!(error instanceof EvaluationLimitError || error instanceof RangeError)) throw error;
      return [{ code: 'validation', message: 'takes too much work to check against its recursive schema' }];
    }
  }

  #passes(validate: ValidateFunction, data: JsonObject, values: number): boolean {
    this.#evaluationsLeft = Math.min(BASE_EVALUATIONS + EVALUATIONS_PER_VALUE * values, MAX_EVALUATIONS);
    return validate(data) === true;
  }

  #compile(allErrors: boolean): ValidateFunction {
    const ajv = createAjv(this.#draft2020, { allErrors });
    ajv.addKeyword({
      keyword: EVALUATION_KEYWORD,
      validate: () => {
        this.#evaluationsLeft -= 1;
        if (this.#evaluationsLeft < 0) throw new EvaluationLimitError();
        return true;
      },
    });
    return ajv.compile(this.#schema);
  }
}

/** Ajv with what makes it safe for schemas and data from outside. */
function createAjv(draft2020: boolean, options: Options): Ajv {
  const ajv = new (draft2020 ? Ajv2020 : Ajv)({
    strict: false,
    logger: false,
    // the schema was checked when it was defined
    validateSchema: false,
    // otherwise every object has a "constructor"
    ownProperties: true,
    // a definition that is referred to a thousand times is compiled once
    inlineRefs: false,
    // 19.99 is a multiple of 0.01
    multipleOfPrecision: 9,
    formats: FORMATS,
    code: { regExp: Object.assign(linearRegex, { code: 'linearRegex' }), optimize: false },
    ...options,
  });
  addEqualityKeywords(ajv);
  return ajv;
}

function toItemErrors(errors: readonly ErrorObject[] | null | undefined): ItemError[] {
  const found = new Map<string, ItemError>();
  for (const error of errors ?? []) {
    if (found.size >= MAX_ERRORS_PER_ITEM) break;
    const fault = toItemError(error);
    found.set(`${fault.field ?? ''}\n${fault.message}`, fault);
  }
  return [...found.values()];
}

function toItemError({ keyword, instancePath, schemaPath, params, message = 'is not valid' }: ErrorObject): ItemError {
  const path = parsePointer(instancePath);
  // one way of several: nothing says that this field is the one to add
  const alternative = /\/(?:anyOf|oneOf|not|if|then|else)\//.test(schemaPath);
  if (keyword === 'required' && !alternative) {
    const field = fieldAt([...path, String(params.missingProperty)]);
    return { code: 'required_field', message: `${quoted(field)} is required`, field: shortened(field) };
  }
  const place = path.length === 0 ? 'the resource' : quoted(fieldAt(path));
  const reason = keyword === 'type' ? `must be ${[params.type].flat().join(' or ').replaceAll(',', ' or ')}` : message;
  const named = params.additionalProperty ?? params.unevaluatedProperty ?? params.propertyName;
  const which = named === undefined ? '' : ` (${quoted(String(named))})`;
  const fault: ItemError = { code: 'validation', message: shortened(`${place} ${reason}`, 400) + which };
  return path.length === 0 ? fault : { ...fault, field: shortened(fieldAt(path)) };
}
