import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ItemError } from '../batch/outcome.ts';
import { quoted, shortened } from '../json/shortened.ts';
import { fieldNestedDeeper, type JsonExtent, measureJson } from '../json/text.ts';
import {
  EVALUATIONS_PER_RESOURCE,
  EVALUATIONS_PER_VALUE,
  MAX_ERRORS_PER_ITEM,
  MAX_EVALUATIONS,
  MAX_RESOURCE_DEPTH,
} from '../limits.ts';
import type { JsonObject } from '../write/resource.ts';
import { patternsOf, readSchemaDocument, type SchemaNode } from './document.ts';
import { addEqualityKeywords } from './equality-keywords.ts';
import { FORMATS } from './formats.ts';
import { fieldAt, parsePointer } from './json-pointer.ts';
import { patternSize, storedRegex } from './linear-regex.ts';
import { EVALUATION_KEYWORD, validatableSchema } from './normalizer.ts';
import { type ReferenceField, referenceFieldsOf } from './references.ts';
import { namesAskedFor, ValidationWork } from './validation-work.ts';

/** Longest estimated time for finding all faults of a resource, in ns: if it takes longer, only the first fault is found. */
const MAX_NS_FOR_ALL_FAULTS = 50_000_000;

/** A schema definition prepared for validating resources. */
export interface CompiledSchema {
  readonly referenceFields: readonly ReferenceField[];
  /** Whether a resource must have this top-level field. */
  isRequired(field: string): boolean;
  /** Top-level fields that `properties` does not name. */
  unknownFields(body: JsonObject): string[];
  /** JSON text of the schema, and the external id field: a thread needs them to validate the same. */
  readonly source: { readonly schema: string; readonly externalIdField: string };
  /** Memory that it takes once it is compiled, as estimated. */
  readonly bytes: number;
  /** Compiles the validator now, not when it is first needed. @throws if the schema is not valid after all. */
  compile(): void;
  /** The longest time for finding the faults of a resource, in nanoseconds; infinite if the schema is too large to be compiled here. */
  estimateNs(data: JsonObject): number;
  /**
   * The faults of a whole resource; at most 20, none of which repeats a value. There is no time limit: check
   * the estimate first.
   */
  faults(data: JsonObject): ItemError[];
}

/** Prepares a schema that passed `checkSchema`; its validator is compiled when it is first needed. */
export function compileSchema(schema: JsonObject, externalIdField: string): CompiledSchema {
  const normalized = validatableSchema(schema, externalIdField);
  const named = new Set(Object.keys(normalized.schema.properties ?? {}));
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const validator = new Validator(normalized.schema, normalized.draft2020);
  const isLarge = isLargeSchema(normalized.schema);
  return {
    referenceFields: referenceFieldsOf(schema),
    source: { schema: JSON.stringify(schema), externalIdField },
    bytes: estimateBytes(normalized.schema, isLarge),
    compile: () => void validator.compile(),
    isRequired: (field) => required.has(field) || field === externalIdField,
    unknownFields: (body) => Object.keys(body).filter((field) => !named.has(field) && !normalized.renamed.has(field)),
    estimateNs: (data) => (isLarge ? Number.POSITIVE_INFINITY : validator.estimateNs(data)),
    faults: (data) => validator.faults(data),
  };
}

/**
 * Subschemas, properties and required names, beyond which a schema is compiled only in a thread: compiling alone could take a
 * second, and megabytes.
 */
const MAX_INLINE_PARTS = 500;
/** Keywords in all subschemas together, beyond which the same holds: they take some microseconds each, known or unknown. */
const MAX_INLINE_KEYWORDS = 5_000;

/** Whether only a thread may compile a schema. */
export function isLargeSchema(schema: JsonObject): boolean {
  const { nodes } = readSchemaDocument(schema);
  const parts = nodes.length + nodes.reduce((sum, node) => sum + namesIn(node), 0);
  return parts > MAX_INLINE_PARTS || nodes.reduce((sum, node) => sum + keywordsIn(node), 0) > MAX_INLINE_KEYWORDS;
}

const keywordsIn = ({ schema }: SchemaNode): number => (typeof schema === 'boolean' ? 0 : Object.keys(schema).length);

const namesIn = ({ schema }: SchemaNode): number => (typeof schema === 'boolean' ? 0 : namesAskedFor(schema));

/** Measured memory of a compiled schema: for each character of its text, subschema, required name, pattern and instruction of a pattern. */
const BYTES = { base: 60_000, character: 12, subschema: 6_000, name: 500, pattern: 20_000, instruction: 250 };

/** @param isLarge it is not compiled in this thread: only its text and fields take memory here. */
function estimateBytes(schema: JsonObject, isLarge: boolean): number {
  const text = JSON.stringify(schema).length;
  if (isLarge) return BYTES.base + text * BYTES.character;
  const { nodes } = readSchemaDocument(schema);
  const patterns = nodes.flatMap(patternsOf).map(({ pattern }) => patternSize(pattern));
  return (
    BYTES.base +
    text * BYTES.character +
    nodes.length * BYTES.subschema +
    nodes.reduce((sum, node) => sum + namesIn(node), 0) * BYTES.name +
    patterns.reduce((sum, size) => sum + BYTES.pattern + size * BYTES.instruction, 0)
  );
}

/** Whether a schema can be compiled at all: the reason why not, or null. */
export function compilationFault(schema: JsonObject, externalIdField: string): string | null {
  try {
    const { schema: validatable, draft2020 } = validatableSchema(schema, externalIdField);
    new Validator(validatable, draft2020).compile();
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
  /** Made when it is first needed: a process that only plans never needs it. */
  #first: ValidateFunction | undefined;
  /** Made when it is first needed: valid resources never need it. */
  #all: ValidateFunction | undefined;
  #evaluationsLeft = 0;
  #work: ValidationWork | undefined;
  #workOfAll: ValidationWork | undefined;
  #measured: { readonly data: JsonObject; readonly extent: JsonExtent } | undefined;

  constructor(schema: JsonObject, draft2020: boolean) {
    this.#schema = schema;
    this.#draft2020 = draft2020;
  }

  /** @throws if the schema is not valid after all. */
  compile(): ValidateFunction {
    this.#first ??= this.#compile(false);
    return this.#first;
  }

  faults(data: JsonObject): ItemError[] {
    const extent = this.#measure(data);
    this.#measured = undefined;
    const { depth, values } = extent;
    if (depth > MAX_RESOURCE_DEPTH) return [depthFault(data)];
    try {
      const first = this.compile();
      if (this.#passes(first, data, values)) return [];
      this.#workOfAll ??= new ValidationWork(this.#schema, true);
      if (estimate(this.#workOfAll, extent) > MAX_NS_FOR_ALL_FAULTS) return toItemErrors(first.errors);
      this.#all ??= this.#compile(true);
      this.#passes(this.#all, data, values);
      return toItemErrors(this.#all.errors);
    } catch (error) {
      if (!(error instanceof EvaluationLimitError || error instanceof RangeError)) throw error;
      return [{ code: 'validation', message: 'takes too much work to check against its recursive schema' }];
    }
  }

  estimateNs(data: JsonObject): number {
    this.#work ??= new ValidationWork(this.#schema);
    return estimate(this.#work, this.#measure(data));
  }

  /** Values count one by one, and names of fields as values. After the estimate, the caller usually validates next. */
  #measure(data: JsonObject): JsonExtent {
    if (this.#measured?.data !== data) this.#measured = { data, extent: measureJson(data, MAX_RESOURCE_DEPTH) };
    return this.#measured.extent;
  }

  #passes(validate: ValidateFunction, data: JsonObject, values: number): boolean {
    this.#evaluationsLeft = Math.min(EVALUATIONS_PER_RESOURCE + EVALUATIONS_PER_VALUE * values, MAX_EVALUATIONS);
    const valid: unknown = validate(data);
    // a promise (`$async`) is no boolean: a caller that took it for true would store an invalid resource
    if (typeof valid !== 'boolean') throw new Error(`the validator answered with a ${typeof valid}`);
    return valid;
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

/** The fault of a resource that is nested too deeply. */
export function depthFault(data: JsonObject): ItemError {
  const field = fieldNestedDeeper(data, MAX_RESOURCE_DEPTH) ?? '';
  const message = `${quoted(field)} makes the resource nested deeper than ${MAX_RESOURCE_DEPTH} levels`;
  return { code: 'validation', message, field: shortened(field) };
}

/** A value that is nested too deeply is refused at once. */
function estimate(work: ValidationWork, { depth, values, names, characters }: JsonExtent): number {
  return depth > MAX_RESOURCE_DEPTH ? 0 : work.estimateNs({ depth, values: values + names, characters });
}

/** Ajv, configured to be safe for schemas and data from outside. */
function createAjv(draft2020: boolean, options: Options): Ajv {
  const ajv = new (draft2020 ? Ajv2020 : Ajv)({
    strict: false,
    logger: false,
    // the schema was checked when it was defined
    validateSchema: false,
    // nothing refers to the meta-schemas: a `$ref` that leads out of the document was refused then
    meta: false,
    // otherwise every object has a "constructor"
    ownProperties: true,
    // a definition that is referred to a thousand times is compiled only once
    inlineRefs: false,
    // 19.99 is a multiple of 0.01
    multipleOfPrecision: 9,
    formats: FORMATS,
    code: { regExp: Object.assign(storedRegex, { code: 'storedRegex' }), optimize: false },
    ...options,
  });
  addEqualityKeywords(ajv);
  return ajv;
}

/** Number of errors that are read: several may be the same fault. */
const MAX_ERRORS_READ = 2 * MAX_ERRORS_PER_ITEM;
/** Characters of a place that are read; a message shows far fewer, and a name may have megabytes. */
const MAX_PLACE_CHARACTERS = 4_000;

function toItemErrors(errors: readonly ErrorObject[] | null | undefined): ItemError[] {
  const found = new Map<string, ItemError>();
  for (const error of (errors ?? []).slice(0, MAX_ERRORS_READ)) {
    if (found.size >= MAX_ERRORS_PER_ITEM) break;
    const fault = toItemError({ ...error, instancePath: error.instancePath.slice(0, MAX_PLACE_CHARACTERS) });
    found.set(`${fault.field ?? ''}\n${fault.message}`, fault);
  }
  return [...found.values()];
}

function toItemError({ keyword, instancePath, schemaPath, params, message = 'is not valid' }: ErrorObject): ItemError {
  const path = parsePointer(instancePath);
  // one of several alternatives: it is not certain that this field has to be added
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
