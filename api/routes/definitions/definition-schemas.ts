import { z } from '@hono/zod-openapi';
import { MAX_DESCRIPTION_LENGTH, MAX_NAME_LENGTH } from '../../../domain/limits.ts';
import { DEFAULT_EXTERNAL_ID_FIELD, NAME_PATTERN } from '../../../domain/schema/definition.ts';
import type { JsonValue } from '../../../domain/write/resource.ts';
import { enveloped, pageOf } from '../../http/define-route.ts';

/** Shapes of requests and answers about schema definitions (docs/api.md#schema-definitions), for the OpenAPI document. */
const Definition = z
  .object({
    id: z.string(),
    name: z.string(),
    pluralName: z.string().optional(),
    description: z.string().optional(),
    externalIdField: z.string(),
    schema: z.record(z.string(), z.unknown()),
    versionNumber: z.number().int(),
    referenceSchemas: z.array(z.string()).openapi({ description: 'Names and ids that the schema refers to' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi('SchemaDefinition');
export const OneDefinition = enveloped(Definition);
/** The answer about a definition that was just created or changed. */
export const ChangedDefinition = OneDefinition.extend({
  warnings: z.array(z.string()).optional().openapi({
    description: 'Probable mistakes in the schema that make every resource invalid, each with its JSON pointer',
  }),
});
export const ManyDefinitions = pageOf(Definition);

/** Checked by the domain, which names each fault by its JSON pointer. */
const anyBody = z.custom<JsonValue>(() => true);
const name = { type: 'string', pattern: NAME_PATTERN.source, maxLength: MAX_NAME_LENGTH } as const;
const TEXT_OR_NULL: ('string' | 'null')[] = ['string', 'null'];
const properties = {
  name,
  pluralName: { ...name, description: 'Another one than the name, and unique as that is' },
  // null is as absent
  description: { type: TEXT_OR_NULL, maxLength: MAX_DESCRIPTION_LENGTH },
  externalIdField: { type: TEXT_OR_NULL, default: DEFAULT_EXTERNAL_ID_FIELD, minLength: 1, maxLength: MAX_NAME_LENGTH },
  schema: {
    type: 'object',
    required: ['type'] as string[],
    properties: { type: { type: 'string', enum: ['object'] as string[] } },
    additionalProperties: true,
    description: 'JSON Schema, draft-07 or 2020-12, of type object',
  },
} as const;
export const NewDefinition = anyBody.openapi('NewSchemaDefinition', {
  type: 'object',
  description: 'Names are taken without regard to case, and may not look like an id',
  required: ['name', 'schema'],
  properties,
  additionalProperties: false,
});
export const NEW_DEFINITION_FIELDS = Object.keys(properties);
/** What a GET returns in addition, and a PUT accepts: Drover changes these fields. */
const readOnly = {
  id: { type: 'string', description: 'If given, that of the definition' },
  versionNumber: { type: 'integer', description: 'If given, the current one; another is a 409' },
  referenceSchemas: {
    type: 'array',
    items: { type: 'string' },
    description: 'If given, those of the current schema, or of the new one',
  },
  createdAt: { type: 'string', description: 'If given, that of the definition' },
  updatedAt: { type: 'string', description: 'If given, the current one; another is a 409' },
} as const;
export const NextVersion = anyBody.openapi('SchemaDefinitionVersion', {
  type: 'object',
  required: ['schema'],
  description:
    'The body of a GET can be sent back. Names and the external id field never change: they may be left out, or repeated',
  properties: { ...properties, ...readOnly },
  additionalProperties: false,
});
export const NEXT_VERSION_FIELDS = Object.keys({ ...properties, ...readOnly });
