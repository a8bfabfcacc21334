import { z } from '@hono/zod-openapi';
import { DEFAULT_PRIORITY, saidOf } from '../../../domain/batch/about.ts';
import { DroverError } from '../../../domain/errors.ts';
import {
  IMPORT_FORMATS,
  IMPORT_OPERATIONS,
  type ImportFormat,
  UNTIL_END_OF_IMPORT,
} from '../../../domain/imports/import.ts';
import { quoted } from '../../../domain/json/shortened.ts';
import { MAX_DEPENDENCY_WAIT_SECONDS, MAX_ROWS_PER_SECOND } from '../../../domain/limits.ts';
import type { SchemaDefinition } from '../../../domain/schema/definition.ts';
import { csvTargetOf } from '../../../services/imports/csv-target.ts';
import { type ImportRequest, openImport, receiveImport } from '../../../services/imports/receive/receive-import.ts';
import { findSchemaDefinition } from '../../../store/definitions/schema-definitions.ts';
import { badRequest } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import {
  type Api,
  defineRoute,
  faults,
  jsonResponse,
  optionalInteger,
  queryBoolean,
  queryEnum,
  queryEnumOr,
  wholeNumberFault,
} from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { withContent } from '../../http/read-content.ts';
import { aboutOf, aboutQuery } from '../batches/about-batch.ts';
import { KEPT } from '../resources/accept-request.ts';
import { csvOptionsOf, csvQuery, withGoodHeader } from './csv-content.ts';
import { ImportAccepted } from './import-schemas.ts';
import { ImportPreview, previewed } from './preview-import.ts';

/** The content type of each format, as requests and answers name it, and as it is accepted. */
export const CONTENT_TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' } as const satisfies Record<
  ImportFormat,
  string
>;
const ACCEPTED_TYPES = {
  ndjson: /^application\/(x-)?ndjson\s*(;|$)/i,
  csv: /^text\/csv\s*(;|$)/i,
} as const satisfies Record<ImportFormat, RegExp>;
const WAIT_SECONDS = { min: 0, max: MAX_DEPENDENCY_WAIT_SECONDS };

const dependencyWaitTimeout = z
  .string()
  .optional()
  .transform((value, ctx) => {
    if (value === undefined || value === '' || value === UNTIL_END_OF_IMPORT) return UNTIL_END_OF_IMPORT;
    const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (seconds >= WAIT_SECONDS.min && seconds <= WAIT_SECONDS.max) return seconds;
    ctx.addIssue({
      code: 'custom',
      message: `must be "${UNTIL_END_OF_IMPORT}", or ${wholeNumberFault(WAIT_SECONDS).slice('must be '.length)}`,
    });
    return z.NEVER;
  })
  .openapi({
    type: 'string',
    pattern: `^(${UNTIL_END_OF_IMPORT}|[0-9]{1,5})?$`,
    default: UNTIL_END_OF_IMPORT,
    description:
      'How long an item waits for missing resources that it refers to: in seconds, or `import`: as long as rows of the import may still create them',
  });

const query = z.object({
  schema: z.string().optional().openapi({
    description:
      'Name, plural name or id of the schema definition of all rows. Absent: a row is `{"schema","resource"}`, and CSV has a column `schema`',
  }),
  format: queryEnum(IMPORT_FORMATS).openapi({
    description: 'Given: the content comes in parts, and this request has no body',
  }),
  dryRun: queryBoolean(false).openapi({
    description: 'Answers 200 from the first rows of the content, and stores nothing',
  }),
  ...csvQuery,
  operation: queryEnumOr(IMPORT_OPERATIONS, 'upload'),
  onconflict: queryEnumOr(['upsert', 'reject'], 'upsert'),
  ignoreUnknownFields: queryBoolean(false),
  cascade: queryBoolean(false).openapi({ description: 'Of a delete: resources that refer to one that goes, go too' }),
  dependencyWaitTimeout,
  validateOnly: queryBoolean(false).openapi({
    description:
      'Rows are checked against the schema, and their references against what is stored and what other rows would create; nothing is written to resources',
  }),
  maxPerSecond: optionalInteger({ min: 1, max: MAX_ROWS_PER_SECOND }).openapi({
    description: 'Rows that are carried out in a second, at most',
  }),
  retentionDays: KEPT.retentionDays.openapi({
    description:
      'Days that the import is kept, with its batches, once it has finished; 0: for ever. By default as the installation is configured',
  }),
  undoable: KEPT.undoable.openapi({
    description: 'Keeps what each row changes until the import is removed, so that it can be undone (`POST …/undo`)',
  }),
  ...aboutQuery,
});

/** The request that starts an import: with its content, or to be sent in parts. */
export function startImportRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/imports',
      operationId: 'startImport',
      tags: ['Imports'],
      summary: 'Import rows from a file of any size',
      description: [
        'The body is newline-delimited JSON, each line a resource (or `{schema, resource}`, where the request names no schema), or CSV with a header line, as it is or as gzip or zstd; it is carried out while it arrives, and 202 is said when its last byte is durable.',
        'With `format` and no body the answer is 201, and the content follows in parts, which are sealed at the end; an import that is not sealed within 24 h is cancelled.',
      ].join(' '),
      query,
      streams: Object.values(CONTENT_TYPES),
      responses: {
        200: jsonResponse('What the import would make of the first rows; nothing is stored', ImportPreview),
        201: jsonResponse('The import takes parts', ImportAccepted),
        202: jsonResponse('All content of the import is durable', ImportAccepted),
        ...faults(409, 413, 415),
      },
    },
    async (c, { query }) => {
      const {
        schema,
        format: inParts,
        label,
        startAt,
        delimiter,
        columns,
        cascade,
        dryRun,
        validateOnly,
        maxPerSecond,
        retentionDays,
        undoable,
        ...given
      } = query;
      const options = {
        ...given,
        priority: given.priority ?? DEFAULT_PRIORITY,
        ...(given.operation === 'delete' && { cascade }),
        ...(validateOnly && { validateOnly }),
        ...(maxPerSecond !== undefined && { maxPerSecond }),
        ...(undoable && { undoable }),
        ...(retentionDays !== undefined && { retentionDays }),
      };
      const format = inParts ?? formatOf(c.req.header('content-type') ?? '');
      const csvOptions = csvOptionsOf(delimiter, columns);
      assertOptions(c, format, options.operation);
      const definition = schema ? await ofAllRows(c, schema) : null;
      const { services, scope } = c.var;
      const request: ImportRequest = {
        scope,
        format,
        ...(format === 'csv' && { csvOptions }),
        ...(definition && {
          schemaDefinitionId: definition.id,
          schemaName: definition.name,
          externalIdField: definition.externalIdField,
        }),
        options,
        ...saidOf({ ...aboutOf(c, query), priority: undefined }),
      };
      return withContent(c, services.config.IMPORT_MAX_BYTES, async (received) => {
        const content = await peeked(received);
        if (dryRun) return previewed(c, request, content, inParts !== undefined);
        if (inParts !== undefined) {
          if (content !== null)
            throw badRequest('body: must be empty when format is given: the content comes in parts');
          await services.assertStarts();
          return answer(c, (await openImport(services, request))._id, 201);
        }
        if (content === null) throw badRequest('body: is empty: at least one row is needed');
        const target = await csvTargetOf(services.schemas, request);
        const checked = format === 'csv' ? await withGoodHeader(content, csvOptions, target, true) : content;
        await services.assertStarts();
        return answer(c, (await receiveImport(services, request, checked))._id, 202);
      });
    },
  );
}

/** @throws DroverError 400 if there is no such schema definition: it is an option, not what the path names. */
async function ofAllRows(c: ApiContext, nameOrId: string): Promise<SchemaDefinition> {
  const definition = await findSchemaDefinition(c.var.services.database, c.var.scope.platform, nameOrId);
  if (definition === null) throw badRequest(`schema: there is no schema definition ${quoted(nameOrId)}`);
  return definition;
}

const answer = (c: ApiContext, importId: string, status: 201 | 202): Response =>
  c.json(success(status === 201 ? 'Import takes parts' : 'Import accepted', { importId }), status);

/** Options that have no meaning for an operation, or for a format. */
const NOT_FOR = {
  upload: ['cascade'],
  patch: ['cascade', 'onconflict', 'dependencyWaitTimeout'],
  delete: ['onconflict', 'ignoreUnknownFields', 'dependencyWaitTimeout', 'validateOnly'],
} as const satisfies Record<(typeof IMPORT_OPERATIONS)[number], readonly string[]>;
const CSV_ONLY = ['delimiter', 'columns'];

/** @throws DroverError 400 naming each option that would be passed over. */
function assertOptions(c: ApiContext, format: ImportFormat, operation: keyof typeof NOT_FOR): void {
  const isGiven = (option: string): boolean => Boolean(c.req.query(option));
  const faults = [
    ...NOT_FOR[operation].filter(isGiven).map((option) => `${option}: not for operation=${operation}`),
    ...(c.req.query('validateOnly') === 'true' && isGiven('dependencyWaitTimeout')
      ? ['dependencyWaitTimeout: not with validateOnly']
      : []),
    ...(c.req.query('validateOnly') === 'true' && c.req.query('undoable') === 'true'
      ? ['undoable: not with validateOnly, which changes nothing']
      : []),
    ...(format === 'csv' ? [] : CSV_ONLY.filter(isGiven).map((option) => `${option}: for CSV alone`)),
  ];
  if (faults.length > 0) throw badRequest(...faults);
}

/** @throws DroverError 415 for a content type that is none of an import. */
function formatOf(type: string): ImportFormat {
  const format = IMPORT_FORMATS.find((one) => ACCEPTED_TYPES[one].test(type));
  if (format === undefined) throw unsupported(type, IMPORT_FORMATS);
  return format;
}

/** @throws DroverError 415 for another content type than that of the format. */
export function assertFormat(type: string, format: ImportFormat): void {
  if (!ACCEPTED_TYPES[format].test(type)) throw unsupported(type, [format]);
}

function unsupported(type: string, formats: readonly ImportFormat[]): DroverError {
  const known = formats.map((format) => CONTENT_TYPES[format]).join(' or ');
  return new DroverError('unsupported_media_type', `the content type must be ${known}, not "${type.slice(0, 100)}"`);
}

/** The same content, once its first byte is there; null if it is empty. */
async function peeked(content: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array> | null> {
  const reading = content[Symbol.asyncIterator]();
  let first = await reading.next();
  while (!first.done && first.value.length === 0) first = await reading.next();
  if (first.done) return null;
  const { value } = first;
  return (async function* () {
    yield value;
    yield* { [Symbol.asyncIterator]: () => reading };
  })();
}
