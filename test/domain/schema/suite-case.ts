import { compilationFault, compileSchema } from '../../../domain/schema/compiler.ts';
import { checkSchema } from '../../../domain/schema/definition.ts';
import { isObject, subschemasOf } from '../../../domain/schema/document.ts';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';

/** A group of JSON Schema's own test suite. */
export interface SuiteGroup {
  readonly description: string;
  readonly schema: JsonObject | boolean;
  readonly tests: readonly { readonly description: string; readonly data: JsonValue; readonly valid: boolean }[];
}

const DRAFTS: Readonly<Record<string, string>> = {
  draft7: 'http://json-schema.org/draft-07/schema#',
  'draft2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

/** The suite's schema as the schema of a field: its references inside the document are adapted. */
function definitionOf(draft: string, schema: JsonObject | boolean): JsonObject {
  const { $schema: _own, $id, ...field } = isObject(schema) ? schema : { allOf: [schema] };
  return {
    $schema: DRAFTS[draft] ?? '',
    ...($id !== undefined && { $id }),
    type: 'object',
    properties: { value: moved(field) },
  };
}

function moved(schema: JsonObject): JsonObject {
  const copy: JsonObject = structuredClone(schema);
  move(copy);
  return copy;
}

function move(schema: JsonObject): void {
  const { $ref } = schema;
  if (typeof $ref === 'string' && /^#(?:$|\/)/.test($ref)) schema.$ref = `#/properties/value${$ref.slice(1)}`;
  for (const part of subschemasOf(schema)) if (isObject(part.schema)) move(part.schema);
}

/** The difference between Drover and the suite; null if they agree. */
export function differenceOf(draft: string, group: SuiteGroup): string | null {
  const definition = definitionOf(draft, group.schema);
  const [fault] = checkSchema(definition, 'externalId');
  if (fault !== undefined) return `refused: ${fault.pointer} ${fault.message}`;
  const uncompilable = compilationFault(definition, 'externalId');
  if (uncompilable !== null) return `refused: ${uncompilable}`;
  const compiled = compileSchema(definition, 'externalId');
  const wrong = group.tests.filter(
    ({ data, valid }) => (compiled.faults({ externalId: 'x', value: data }).length === 0) !== valid,
  );
  if (wrong.length === 0) return null;
  return wrong.map(({ description, valid }) => `${description} (${valid ? 'valid' : 'invalid'})`).join('; ');
}
