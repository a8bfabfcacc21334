import { expect, test } from 'vitest';
import * as limits from '../../domain/limits.ts';
import { loadConfig, VARIABLES } from '../../process/config.ts';
import { read } from '../harness/repository.ts';

/** A row of the table, by its first cell, and the words around the number in its second one; `{}` is the number with its unit. */
type Place = readonly [row: string, words: string];

/** Of a text that an answer repeats in a message: no caller has to know it. */
const NOT_TOLD = 'no caller meets it';

/** Where the table has each limit of `domain/limits.ts`. A limit without a place here does not compile. */
const PLACES: Readonly<Record<keyof typeof limits, Place | typeof NOT_TOLD>> = {
  MAX_HEAD_BYTES: ['head of a request, its path included', '{}'],
  MAX_HEADERS_MS: ['time to send a request', '{} for its head'],
  MAX_IDLE_MS: ['connections', '{} without a byte'],
  MAX_EVENTS_PER_SECOND: ['events of a batch', '{} a second'],
  MAX_BODY_PARTS: ['body of a request', '{} objects, arrays and members'],
  MAX_FAULTS: ['faults named in a refusal; of an item', '{} of a request'],
  MAX_ANSWER_BYTES: ['an answer that is not a stream', '{}'],
  MAX_TOTAL: ['`total` of a list', 'exact up to {}'],
  MAX_SCOPE_NAME: ['name of a tenant', '{} characters'],
  MAX_IDEMPOTENCY_KEY: ['`Idempotency-Key`', '{} characters'],
  IDEMPOTENCY_KEY_KEPT_MS: ['`Idempotency-Key`', 'kept {}'],
  MAX_PAGE_LIMIT: ['page of a list; of items', '{} of a list'],
  MAX_ITEMS_PAGE_LIMIT: ['page of a list; of items', '{} items'],
  MAX_RESOURCES_PER_BATCH: ['resources of an upload or patch', '1 to {}'],
  MAX_RESOURCES_PER_ACTIVITY: ['`resourcesPerActivity`', '1 to {}'],
  MAX_RETENTION_DAYS: ['a batch that has finished', '0 to {}'],
  MAX_LABEL: ['`label`, `startAt`', '{} characters'],
  MAX_START_AHEAD_DAYS: ['`label`, `startAt`', 'within {}'],
  MAX_FILTER_VALUES: ['values of a filter of batches', '{}'],
  MAX_CREATED_BY: ['`createdBy`', 'the first {} characters'],
  MAX_DEPENDENCY_WAIT_SECONDS: ['`dependencyWaitTimeout`', '{}'],
  MAX_ERRORS_PER_ITEM: ['faults named in a refusal; of an item', '{} of an item'],
  MAX_MISSING_PER_OUTCOME: ['what an item misses', 'the first {}'],
  MAX_ERROR_DETAILS: ['items whose messages a batch shows', 'the first {}'],
  MAX_ERROR_DETAIL_LENGTH: ['items whose messages a batch shows', 'up to {} characters'],
  MAX_PENDING_RESOURCES: ['`pendingResources`', 'the first {}'],
  MAX_STATUS_QUERY_MS: ["a worker's answer to a status query", '{}'],
  MAX_NAMED_REFERRERS: ['surviving resources that the error `referenced` names', '{}'],
  MAX_DRY_RUN_MS: ['a dry run', '{}'],
  MAX_IMPORT_PART_BYTES: ['an import', 'each of {}'],
  MAX_IMPORT_PARTS: ['an import', '{} parts'],
  MAX_REMOVED_PARTS: ['an import', '{} removed parts'],
  MAX_ROW_BYTES: ['an import', 'a row of {}'],
  MAX_CSV_HEADER_BYTES: ['an import', 'a header of {}'],
  MAX_CSV_COLUMNS: ['an import', 'and {} columns'],
  MAX_UNPACKED_RATIO: ['compressed content', '{} times'],
  MAX_ROWS_PER_SECOND: ['`maxPerSecond` of an import', '1 to {}'],
  MAX_PREVIEWED_ROWS: ['a dry run of an import', 'the first {} rows'],
  MAX_PREVIEWED_BYTES: ['a dry run of an import', 'within {}'],
  MAX_PREVIEW_ARRIVAL_MS: ['a dry run of an import', 'arrive within {}'],
  MAX_PREVIEWED_FAULTS: ['a dry run of an import', '{} rows with faults'],
  MAX_ZSTD_WINDOW_BYTES: ['compressed content', 'a window of {}'],
  MAX_EMPTY_CONTENT_BYTES: ['compressed content', '{} on end'],
  ANY_RATIO_BYTES: ['compressed content', 'more than {}'],
  IMPORT_SEAL_MS: ['an import', 'sealed within {}'],
  MAX_CYCLE_ITEMS: ['a cycle of pending items of several batches', '{} items'],
  MAX_CYCLE_MISSING: ['a cycle of pending items of several batches', 'miss {} resources'],
  MAX_BULK_COUNTED: ['a bulk operation', 'a dry run counts {} batches'],
  MAX_BULK_RECENT: ['a bulk operation', '{} of the last minute'],
  MAX_BULK_RUNNING: ['bulk operations of a tenant', '{} at a time'],
  MAX_UNDO_PASSES: ['the undo of an import', '{} passes'],
  MAX_THROUGHPUT_BATCHES: ['throughput of the last hour', '{} batches'],
  MAX_WEBHOOKS_PER_TENANT: ['webhooks of a tenant', '{}'],
  MAX_WEBHOOK_URL: ['a webhook', 'a URL of {} characters'],
  MAX_WEBHOOK_DESCRIPTION: ['a webhook', 'a description of {} characters'],
  MAX_WEBHOOK_EARLIER_SECRETS: ['a webhook', '{} earlier secrets'],
  WEBHOOK_SECRET_KEPT_MS: ['a webhook', 'for {}'],
  MAX_WEBHOOK_MS: ['a delivery', '{} for an attempt'],
  MAX_WEBHOOK_ANSWER_BYTES: ['a delivery', '{} of an answer are read'],
  MAX_WEBHOOK_ANSWER_KEPT_BYTES: ['a delivery', '{} of it are kept'],
  MAX_WEBHOOK_AT_ONCE: ['a delivery', '{} at once to one webhook'],
  WEBHOOK_DELIVERY_KEPT_DAYS: ['a delivery', 'kept {}'],
  MAX_EXTERNAL_ID: ['one resource', 'external id of {} characters'],
  MAX_RESOURCE_BYTES: ['one resource', '{} as BSON'],
  MAX_INCLUDED: ['resources in `included`', 'the first {} that fit'],
  MAX_RESOURCE_DEPTH: ['one resource', 'nested {} deep'],
  MAX_REFERENCES: ['one resource', '{} references'],
  MAX_REFERENCING_FIELDS: ['places in which a resource refers to another', 'the first {}'],
  MAX_VALIDATION_MS: ['validating one resource', '{}'],
  MAX_VALIDATION_BYTES: ['validating one resource', '{}, once'],
  EVALUATIONS_PER_RESOURCE: ['validating one resource', '{} `$ref`s followed'],
  EVALUATIONS_PER_VALUE: ['validating one resource', '{} more for each of its values'],
  MAX_EVALUATIONS: ['validating one resource', '{} in all'],
  MAX_SCHEMA_DEFINITIONS: ['schema definitions of a platform', '{}'],
  MAX_NAME_LENGTH: ['a definition', 'names of {} letters'],
  MAX_DESCRIPTION_LENGTH: ['a definition', 'a description of {} characters'],
  MAX_SCHEMA_LENGTH: ['its schema as a text', '{} characters'],
  MAX_SCHEMA_DEPTH: ['its schema as a text', 'nested {} deep'],
  MAX_SCHEMA_NAME: ['its schema as a text', 'names of {} characters'],
  MAX_SCHEMA_PATH: ['its schema as a text', '{} along a path'],
  MAX_PROPERTIES: ['what is in its schema', '{} properties'],
  MAX_SUBSCHEMAS: ['what is in its schema', '{} subschemas'],
  MAX_KEYWORDS: ['what is in its schema', '{} keywords'],
  MAX_ENUM_VALUES: ['what is in its schema', '{} values of an `enum`'],
  MAX_APPLIED: ['what is in its schema', '{} subschemas that apply to one value'],
  MAX_REFERENCE_FIELDS: ['what is in its schema', '{} reference fields'],
  MAX_REFERENCE_DEPTH: ['what is in its schema', '{} subschemas on the way to one'],
  MAX_REFERENCE_VISITS: ['what is in its schema', '{} steps to find its references'],
  MAX_PATTERN_LENGTH: ['its patterns', '{} characters'],
  MAX_INSTRUCTIONS_PER_PATTERN: ['its patterns', '{} instructions of an automaton each'],
  MAX_PATTERN_INSTRUCTIONS: ['its patterns', '{} instructions together'],
  MAX_COMPILATION_MS: ['compiling its schema', '{}'],
  MAX_CHANGE_WAIT_MS: ['a new version of it', '{} until batches'],
  MAX_CHANGE_VALIDATION_MS: ['a new version of it, checked against stored resources', '{} for resources'],
  MAX_FACADE_TEXT: ['Camunda façade, one query', 'texts of {} characters'],
  MAX_FACADE_VALUES: ['Camunda façade, one query', '{} values'],
  MAX_FACADE_OR_QUERIES: ['Camunda façade, one query', '{} `orQueries`'],
  MAX_FACADE_SORTINGS: ['Camunda façade, one query', '{} `sorting`s'],
  MAX_FACADE_CONDITIONS: ['Camunda façade, one query', '{} conditions'],
  MAX_FACADE_READINGS: ['Camunda façade, one query', '{} ways to read'],
  MAX_FACADE_LOOKUPS: ['Camunda façade, one query', '{} `subProcessInstance`s'],
  MAX_VISIBILITY_QUERY: ['Camunda façade, one query', '{} characters as a visibility query'],
  MAX_FACADE_IDS: ['Camunda façade, one deletion', '{} ids'],
  MAX_FACADE_REASON: ['Camunda façade, one deletion', 'a reason of {} characters'],
  MAX_FACADE_STORED_REASON: ['Camunda façade, one deletion', 'of more than {} fails'],
  MAX_FACADE_SELECTION_MS: ['Camunda façade, one deletion', '{} to list'],
  MAX_FACADE_FIRST_RESULT: ['Camunda façade, paging and counts', '`firstResult` {}'],
  MAX_FACADE_COUNT_MS: ['Camunda façade, paging and counts', 'has to list {}'],
  MAX_FACADE_MESSAGE: NOT_TOLD,
};

/** The same of the variables that an operator can set and a caller can meet; the number is the default. */
const CONFIGURED: Readonly<Record<string, Place>> = {
  BODY_LIMIT_BYTES: ['body of a request', '{}'],
  REQUEST_TIMEOUT_SECONDS: ['time to send a request', '{} in all'],
  MAX_REQUESTS_PER_TENANT: ['requests, event streams of a tenant at once', '{} requests'],
  MAX_EVENT_STREAMS_PER_TENANT: ['requests, event streams of a tenant at once', '{} streams'],
  MAX_BODY_BYTES_PER_TENANT: ['bodies being received at once', '{} of a tenant'],
  MAX_BODY_BYTES_IN_FLIGHT: ['bodies being received at once', '{} in all'],
  MIN_BODY_BYTES_PER_SECOND: ['speed of a body', '{} bytes a second'],
  MAX_CONNECTIONS: ['connections', '{}'],
  DELETION_MEMORY_BYTES: ['a dry run', '{} for references'],
  IMPORT_MAX_BYTES: ['an import', '{} of unpacked content'],
  BATCH_RETENTION_DAYS: ['a batch that has finished', 'kept {}'],
  RESOURCES_PER_ACTIVITY: ['`resourcesPerActivity`', 'as the installation is configured'],
};

/** Variables that refuse nothing that a caller sends, and end nothing that a caller waits for. */
const LIMIT_NO_CALLER: readonly string[] = [
  'NODE_ENV',
  'HOST',
  'PORT',
  'MONGODB_URI',
  'MONGODB_DATABASE',
  'DROVER_DATA_DIR',
  'DROVER_CACHE_DIR',
  'DROVER_PAYLOAD_KEY',
  'DROVER_WEBHOOK_KEY',
  'WEBHOOK_ALLOW_PRIVATE',
  'WRITERS_PER_WORKER',
  'WORKER_TASKS',
  'ACTIVITY_TIMEOUT_SECONDS',
  'IMPORT_WINDOW',
  'JWT_SECRET',
  'JWKS_URL',
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'METRICS_TOKEN',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_SERVICE_NAME',
  'WORKER_METRICS_ADDRESS',
  'WORKER_PROCESSES',
  'CAMUNDA_INVOCATIONS_PER_BATCH_JOB',
  'CAMUNDA_BATCH_JOBS_PER_SEED',
  'CAMUNDA_TERMINATION_GRACE_SECONDS',
  'LOG_LEVEL',
];

/** A number as the table writes it: with the unit that the name ends with. */
function written(name: string, bound: unknown): string {
  if (typeof bound !== 'number') return '';
  if (/BYTES(_IN_FLIGHT|_PER_TENANT)?$/.test(name)) return bytes(bound);
  if (name.endsWith('_MS')) return duration(bound / 1000);
  if (name.endsWith('_SECONDS')) return `${bound.toLocaleString('en-US')} s`;
  if (name.endsWith('_DAYS')) return `${bound} days`;
  return bound.toLocaleString('en-US');
}

function bytes(count: number): string {
  if (count >= 2 ** 30) return `${count / 2 ** 30} GiB`;
  return count >= 2 ** 20 ? `${count / 2 ** 20} MiB` : `${count / 2 ** 10} KiB`;
}

function duration(seconds: number): string {
  if (seconds >= 3_600) return `${seconds / 3_600} h`;
  return seconds >= 300 ? `${seconds / 60} minutes` : `${seconds} s`;
}

/** The expression that matches this text alone. */
const literal = (text: string): string => text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');

/** The rows of the table: first cell -> second cell. */
function table(): Map<string, string> {
  const page = read('docs/api.md');
  const section = page.slice(page.indexOf('\n## Limits\n'), page.indexOf('\n## When a request is refused\n'));
  const rows = [...section.matchAll(/^\| (.*?) \| (.*) \| .*\|$/gm)].slice(2); // without the head
  return new Map(rows.map(([, what = '', limit = '']) => [what, limit]));
}

/** The longest words first: `{} characters` is a part of `a description of {} characters`. */
const places = [...Object.entries(PLACES), ...Object.entries(CONFIGURED)]
  .flatMap(([name, place]) => (place === NOT_TOLD ? [] : [{ name, place }]))
  .sort((one, other) => other.place[1].length - one.place[1].length);

const values: Readonly<Record<string, unknown>> = { ...limits, ...loadConfig({}) };

test('every limit of the code, and every variable that can limit a caller, has a place in the table', () => {
  expect(Object.keys(PLACES).sort()).toEqual(Object.keys(limits).sort());
  const others = VARIABLES.filter((name) => !name.startsWith('TEMPORAL_') && !Object.hasOwn(CONFIGURED, name));
  expect(others.sort()).toEqual([...LIMIT_NO_CALLER].sort());
});

test('the table of docs/api.md has each of them in its place, and no other number', () => {
  const rest = table();
  const missing = places.filter(({ name, place: [row, words] }) => {
    const expected = words.replace('{}', written(name, values[name]));
    const cell = rest.get(row) ?? '';
    const at = new RegExp(`(?<![\\d,.])${literal(expected)}(?!\\d|,\\d)`).exec(cell)?.index;
    // what one limit has found is gone for the next
    if (at !== undefined) rest.set(row, cell.slice(0, at) + cell.slice(at + expected.length));
    return at === undefined;
  });
  expect(missing.map(({ name, place }) => [name, ...place, written(name, values[name])])).toEqual([]);
  expect([...rest].filter(([, cell]) => /\d/.test(cell.replaceAll(/`[^`]*`/g, '')))).toEqual([]);
});

test('a variable stands beside its number', () => {
  const rows = table();
  const unnamed = Object.entries(CONFIGURED).filter(([name, [row]]) => !rows.get(row)?.includes(`\`${name}\``));
  expect(unnamed).toEqual([]);
});
