import { z } from '@hono/zod-openapi';
import { BATCH_STATUSES, BATCH_TYPES, OPERATIONS } from '../../../domain/batch/batch.ts';
import { shortened } from '../../../domain/json/shortened.ts';
import {
  MAX_CREATED_BY,
  MAX_EXTERNAL_ID,
  MAX_FILTER_VALUES,
  MAX_LABEL,
  MAX_NAME_LENGTH,
} from '../../../domain/limits.ts';
import { isExternalId } from '../../../domain/write/external-id.ts';
import type { BatchFilter } from '../../../store/batches/list-batches.ts';
import { findSchemaDefinition } from '../../../store/definitions/schema-definitions.ts';
import type { ApiContext } from '../../http/context.ts';
import { DATE_FAULT, dateOf } from './query-date.ts';

/** One or several words, separated by commas. */
function several<T extends string>(isRight: (word: string) => word is T, fault: string) {
  return z.string({ error: fault }).transform((text, ctx): T[] => {
    // no more than that is looked at, nor stored: repeated values count
    const words = text.split(',', MAX_FILTER_VALUES + 1);
    if (words.length <= MAX_FILTER_VALUES && words.every(isRight)) return [...new Set(words.filter(isRight))];
    const message = words.length > MAX_FILTER_VALUES ? `must be at most ${MAX_FILTER_VALUES} values` : fault;
    ctx.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

function severalOf<const T extends readonly string[]>(words: T) {
  const isOne = (word: string): word is T[number] => words.includes(word);
  const fault = `must be one of ${words.join(', ')}, or several of them with commas between`;
  return several(isOne, fault);
}

function text(isRight: (value: string) => boolean, fault: string) {
  return z.string({ error: fault }).refine(isRight, { error: fault }).openapi({ type: 'string' });
}

const date = () =>
  z.string({ error: DATE_FAULT }).transform((value, ctx): number => {
    const moment = dateOf(value)?.getTime();
    if (moment !== undefined) return moment;
    ctx.addIssue({ code: 'custom', message: DATE_FAULT });
    return z.NEVER;
  });
const SCHEMA_FAULT = `must be one or several names or ids of schema definitions, of up to ${MAX_NAME_LENGTH} characters, with commas between`;
const isName = (word: string): word is string => word !== '' && word.length <= MAX_NAME_LENGTH;
const length = (maxLength: number) => ({ minLength: 1, maxLength });
const within = (max: number) => (value: string) => value !== '' && [...value].length <= max;

const TYPES: readonly string[] = Object.values(BATCH_TYPES);
const FIELDS = {
  batchType: severalOf(TYPES),
  status: severalOf(BATCH_STATUSES),
  schema: several(isName, SCHEMA_FAULT),
  createdAfter: date().openapi({ type: 'string', format: 'date-time' }),
  createdBefore: date().openapi({ type: 'string', format: 'date-time' }),
  label: text(within(MAX_LABEL), `must be 1 to ${MAX_LABEL} characters`).openapi(length(MAX_LABEL)),
  createdBy: text(within(MAX_CREATED_BY), `must be 1 to ${MAX_CREATED_BY} characters`).openapi(length(MAX_CREATED_BY)),
  importId: z.uuid({ error: 'must be the id of an import' }).openapi({ type: 'string', format: 'uuid' }),
  externalId: text(isExternalId, `must be 1 to ${MAX_EXTERNAL_ID} whole characters`).openapi({
    ...length(MAX_EXTERNAL_ID),
    description: 'Batches that have an item for it',
  }),
};

/** How the OpenAPI document says one of several words. */
interface Word {
  readonly pattern: string;
}
const wordOf = (words: readonly string[]): Word => ({ pattern: `(${words.join('|')})` });
const ANY_WORD: Word = { pattern: `[^,]{1,${MAX_NAME_LENGTH}}` };

/** In a query an empty value of these is absent, as it always was. */
const orEmpty = <T extends z.ZodType>(field: T, one: Word, description: string) =>
  z
    .preprocess((value) => (value === '' ? undefined : value), field.optional())
    .openapi({ type: 'string', pattern: `^(${one.pattern}(,${one.pattern})*)?$`, description });

/** The filters of a list in a query. */
export const filterQuery = {
  batchType: orEmpty(FIELDS.batchType, wordOf(TYPES), `One of ${TYPES.join(', ')}, or several with commas`),
  status: orEmpty(FIELDS.status, wordOf(BATCH_STATUSES), `One of ${BATCH_STATUSES.join(', ')}, or several with commas`),
  schema: orEmpty(FIELDS.schema, ANY_WORD, 'Name, plural name or id of a schema definition, or several with commas'),
  createdAfter: FIELDS.createdAfter.optional(),
  createdBefore: FIELDS.createdBefore.optional(),
  label: FIELDS.label.optional(),
  createdBy: FIELDS.createdBy.optional(),
  importId: FIELDS.importId.optional(),
  externalId: FIELDS.externalId.optional(),
};

const FILTERS = Object.keys(FIELDS);
/** In a body, several values are an array or a text with commas, as in a query. @param one how the OpenAPI document says one of them. */
const joined = <T extends z.ZodType>(field: T, one: Word, description: string) =>
  z
    .preprocess((value) => (isTexts(value) ? value.join() : value), field)
    .optional()
    .openapi({
      description,
      anyOf: [
        { type: 'string', pattern: `^${one.pattern}(,${one.pattern})*$` },
        {
          type: 'array',
          minItems: 1,
          maxItems: MAX_FILTER_VALUES,
          items: { type: 'string', pattern: `^${one.pattern}$` },
        },
      ],
    });
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && !one.includes(','));

/** The same filters in a body: at least one, and no other field. */
export const filterBody = z
  .strictObject(
    {
      batchType: joined(FIELDS.batchType, wordOf(TYPES), `Of ${TYPES.join(', ')}; several with commas`),
      status: joined(FIELDS.status, wordOf(BATCH_STATUSES), `Of ${BATCH_STATUSES.join(', ')}; several with commas`),
      schema: joined(FIELDS.schema, ANY_WORD, 'Name, plural name or id of a schema definition; several with commas'),
      createdAfter: filterQuery.createdAfter,
      createdBefore: filterQuery.createdBefore,
      label: filterQuery.label,
      createdBy: filterQuery.createdBy,
      importId: filterQuery.importId,
      externalId: filterQuery.externalId,
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `${issue.keys.map((key) => shortened(key)).join(', ')}: not a filter; filters are ${FILTERS.join(', ')}`
          : 'must be an object with at least one filter',
    },
  )
  .refine(
    (filter) => Object.values(filter).some((value) => value !== undefined),
    'must have at least one filter: nothing is done with all batches',
  )
  .openapi('BatchFilter', { minProperties: 1 });

const parsed = z.object(filterQuery);
type AskedFilter = z.output<typeof parsed>;

/** A filter with ids of schema definitions and operations. The batches of a deleted definition still exist, under its id. */
export async function filterOf(c: ApiContext, asked: AskedFilter): Promise<BatchFilter> {
  const { batchType, schema, ...others } = asked;
  const { database } = c.var.services;
  const idOf = async (name: string): Promise<string> =>
    (await findSchemaDefinition(database, c.var.scope.platform, name))?.id ?? name;
  return {
    ...(batchType && { operation: OPERATIONS.filter((one) => batchType.includes(BATCH_TYPES[one])) }),
    ...(schema && { schemaDefinitionId: await Promise.all(schema.map(idOf)) }),
    ...Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined)),
  };
}
