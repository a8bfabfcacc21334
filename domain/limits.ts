/**
 * Every limit that a caller can meet, with unit and reason; `docs/api.md` lists them. Settings of an operator are in `process/config.ts`.
 * Sizes and times that no caller can meet (pages, polls) are defined where they are used.
 */

/* Requests and answers */

/** Largest head of a request, path included, in bytes. */
export const MAX_HEAD_BYTES = 16 * 1024;
/** Longest time in which a caller has to send the head of its request, in ms. */
export const MAX_HEADERS_MS = 15_000;
/** Longest time without a byte on a connection, in ms; then it is closed: a caller that does not read its answer occupies memory. */
export const MAX_IDLE_MS = 300_000;
/** States of a batch that one event stream sends in a second. */
export const MAX_EVENTS_PER_SECOND = 4;

/** Objects, arrays and members in one body. A million members of different names take more than a second to parse, during which the process answers no other request, and a hundred times the memory of their text. */
export const MAX_BODY_PARTS = 500_000;
/** Faults that one refusal names, of a request or of a schema definition. */
export const MAX_FAULTS = 100;
/** Largest answer that is no stream, in bytes. A single resource that is larger is answered all the same. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Batches, resources, … that `total` of a list counts; beyond it the answer says `totalIsCapped`. */
export const MAX_TOTAL = 10_000;
/** Longest platform or tenant name, in characters: it is a part of every key. */
export const MAX_SCOPE_NAME = 128;
/** Longest Idempotency-Key, in characters. */
export const MAX_IDEMPOTENCY_KEY = 255;

/** How long an Idempotency-Key is kept, in ms: a day. */
export const IDEMPOTENCY_KEY_KEPT_MS = 24 * 60 * 60 * 1000;
/** Longest page of a list, and of the items of a batch. */
export const MAX_PAGE_LIMIT = 100;
export const MAX_ITEMS_PAGE_LIMIT = 1000;

/* Batches */

/** Resources in one upload or patch batch, as in the API of Reach. */
export const MAX_RESOURCES_PER_BATCH = 1000;
/** Longest label of a batch or import, in Unicode code points. */
export const MAX_LABEL = 100;
/** Values of one filter of a list of batches: each may be a look-up of its own. */
export const MAX_FILTER_VALUES = 50;
/** How far ahead a batch or import can be told to start, in days: as long as a finished batch is usually kept. */
export const MAX_START_AHEAD_DAYS = 30;
/** Longest name of who has sent a batch (`sub` of a token) that is kept, in UTF-16 code units. */
export const MAX_CREATED_BY = 256;
/** Most resources that one activity can be asked to work on (`resourcesPerActivity`). */
export const MAX_RESOURCES_PER_ACTIVITY = 1000;
/** Longest time that a batch can ask to be kept once it has finished (`retentionDays`), in days. */
export const MAX_RETENTION_DAYS = 365;
/** Longest wait for missing references, in seconds: a day, as in the API of Reach. */
export const MAX_DEPENDENCY_WAIT_SECONDS = 86_400;
/** Errors that one item shows. */
export const MAX_ERRORS_PER_ITEM = 20;
/** Missing references that an outcome holds and an answer shows; `missingTotal` is their number. */
export const MAX_MISSING_PER_OUTCOME = 20;
/** Items whose errors a batch shows in detail. */
export const MAX_ERROR_DETAILS = 100;
/** Longest message of one of these items, in characters; the item itself has all of it. */
export const MAX_ERROR_DETAIL_LENGTH = 1000;
/** Pending items that the answer about a batch shows; `…/items` has all of them. */
export const MAX_PENDING_RESOURCES = 1_000;
/** Time that a worker has to answer a status query, in ms; after it the stored state is answered. */
export const MAX_STATUS_QUERY_MS = 2_000;
/** Surviving referrers that the error of a skipped resource names (`referenced`). */
export const MAX_NAMED_REFERRERS = 10;
/** How long a caller waits for a dry run, in ms: proxies and clients time out after a minute. */
export const MAX_DRY_RUN_MS = 30_000;

/** Pending items that are followed from one batch: a cycle with more members, over several batches, is not found. */
export const MAX_CYCLE_ITEMS = 20_000;
/** Missing references that are followed for the same: beyond that memory would be unbounded. */
export const MAX_CYCLE_MISSING = 500_000;

/* Imports */

/** Largest part of an import, in bytes of unpacked content. */
export const MAX_IMPORT_PART_BYTES = 64 * 1024 * 1024;
/** Parts of one import: with the largest ones, 640 GiB. */
export const MAX_IMPORT_PARTS = 10_000;
/** Parts of one import that can be removed: their uploads are remembered. */
export const MAX_REMOVED_PARTS = 1_000;
/** Longest row of an import, in bytes: as long as the largest resource. */
export const MAX_ROW_BYTES = 14 * 1024 * 1024;
/** Longest header of a file of CSV, in bytes. */
export const MAX_CSV_HEADER_BYTES = 64 * 1024;
/** Columns of a file of CSV: more than a schema has properties, few enough to look each one up. */
export const MAX_CSV_COLUMNS = 5_000;
/** How many times larger than received a compressed content may be once it is unpacked; a small one may be more. */
export const MAX_UNPACKED_RATIO = 200;
/** Unpacked content of at most so many bytes may be any number of times larger than received. */
export const ANY_RATIO_BYTES = 10 * 1024 * 1024;
/** Bytes of compressed content, one after the other, that may unpack to nothing: frames to be skipped, empty ones, and what the decompressor waits for. */
export const MAX_EMPTY_CONTENT_BYTES = 1024 * 1024;
/** First rows of a file that a dry run of an import looks at. */
export const MAX_PREVIEWED_ROWS = 1_000;
/** Bytes of content that it looks at, unpacked: as many as a request may have. */
export const MAX_PREVIEWED_BYTES = 16 * 1024 * 1024;
/** Longest time in which they have to arrive, in ms; then it answers from those that are there. */
export const MAX_PREVIEW_ARRIVAL_MS = 10_000;
/** Rows with faults that it shows. */
export const MAX_PREVIEWED_FAULTS = 20;
/** Largest window of content that is compressed with zstd, in bytes: what RFC 9659 has a sender keep to. So much memory is needed to unpack it. */
export const MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024;
/** Time in which an import that comes in parts has to be sealed, in ms: a day. */
export const IMPORT_SEAL_MS = 24 * 60 * 60 * 1000;
/** Largest `maxPerSecond` of an import, in rows. */
export const MAX_ROWS_PER_SECOND = 1_000_000;

/* Bulk operations */

/** Batches that a dry run of a bulk operation counts; beyond it the answer says `totalIsCapped`. */
export const MAX_BULK_COUNTED = 100_000;
/** Batches of the last minute that a bulk operation may match: the request itself selects them. */
export const MAX_BULK_RECENT = 100_000;

/** Batches of the last hour whose items the throughput counts, the last ones; beyond it the answer says `isCapped`. */
export const MAX_THROUGHPUT_BATCHES = 10_000;

/** Bulk operations of one tenant, undos of imports included, that run at the same time: each holds a place of a worker while it works. */
export const MAX_BULK_RUNNING = 10;
/** Passes over the batches of an import in its undo: each may revert what was in the way of the others before. */
export const MAX_UNDO_PASSES = 20;

/* Webhooks */

/** Webhooks of one tenant: each event is a message to each of them. */
export const MAX_WEBHOOKS_PER_TENANT = 100;
/** Longest URL of a webhook, in characters. */
export const MAX_WEBHOOK_URL = 2_048;
/** Longest description of a webhook, in characters. */
export const MAX_WEBHOOK_DESCRIPTION = 1_000;
/** Time of one attempt of a delivery, in ms: resolving, connecting, sending and the whole answer. */
export const MAX_WEBHOOK_MS = 10_000;
/** Largest answer of a receiver that is read, in bytes, and how much of it is kept. */
export const MAX_WEBHOOK_ANSWER_BYTES = 64 * 1024;
export const MAX_WEBHOOK_ANSWER_KEPT_BYTES = 1024;
/** Messages that are sent to one webhook at the same time: a slow receiver is not flooded, and holds up no other. */
export const MAX_WEBHOOK_AT_ONCE = 5;
/** How long an earlier secret signs beside the new one, in ms, and how many earlier ones do. */
export const WEBHOOK_SECRET_KEPT_MS = 24 * 60 * 60 * 1000;
export const MAX_WEBHOOK_EARLIER_SECRETS = 4;
/** How long a delivery is kept, in days: longer than its last attempt may take. */
export const WEBHOOK_DELIVERY_KEPT_DAYS = 7;

/* Resources */

/** Longest external id, in Unicode code points. */
export const MAX_EXTERNAL_ID = 256;
/** Largest resource, in bytes of BSON and reference keys, and of JSON text as it is sent: its document stays below MongoDB's 16 MB. */
export const MAX_RESOURCE_BYTES = 14 * 1024 * 1024;
/** Deepest resource, in objects and arrays inside each other, itself included: MongoDB holds 100 levels. */
export const MAX_RESOURCE_DEPTH = 90;
/** References of one resource: their intents and missing keys stay within a few documents. */
export const MAX_REFERENCES = 10_000;
/** Places in which one resource refers to another that an answer names. */
export const MAX_REFERENCING_FIELDS = 20;
/** Resources that an answer includes beside the one that refers to them (`include`). */
export const MAX_INCLUDED = 100;
/** Time to validate one resource, in ms. It is counted in ticks, so that a process that was stopped meanwhile does not fail the resource. */
export const MAX_VALIDATION_MS = 1_000;
/** Memory of the thread that validates what takes long, and compiles schemas, in bytes: a resource of 14 MiB as text, and some schemas. */
export const MAX_VALIDATION_BYTES = 256 * 1024 * 1024;
/**
 * `$ref`s followed in the validation of one resource: so many for every resource, so many more for each of its values, and no more than
 * this in all. A recursive schema that branches at every level could otherwise take longer than any caller waits.
 */
export const EVALUATIONS_PER_RESOURCE = 20_000;
export const EVALUATIONS_PER_VALUE = 50;
export const MAX_EVALUATIONS = 5_000_000;

/* Schema definitions */

/** Schema definitions of one platform: an answer that names all of them, as a dry run of a delete may, stays below 4 MiB. */
export const MAX_SCHEMA_DEFINITIONS = 10_000;
/** Longest name, plural name or external id field, in characters. */
export const MAX_NAME_LENGTH = 128;
/** Longest description, in characters. */
export const MAX_DESCRIPTION_LENGTH = 10_000;
/** Largest schema, in characters of JSON text: its document stays below 4 MB. */
export const MAX_SCHEMA_LENGTH = 1_048_576;
/** Deepest schema, in objects and arrays inside each other: code that reads schemas is recursive. */
export const MAX_SCHEMA_DEPTH = 250;
/** Properties in all of a schema. */
export const MAX_PROPERTIES = 1_000;
/** Subschemas in all of a schema: compiling and estimating take longer with each. */
export const MAX_SUBSCHEMAS = 2_500;
/** Keywords in all subschemas together, unknown ones included: each takes microseconds wherever schemas are read. */
export const MAX_KEYWORDS = 20_000;
/** Values in one `enum`. */
export const MAX_ENUM_VALUES = 20_000;
/** Subschemas that apply to one and the same value, followed through `allOf`, `$ref` and the like. */
export const MAX_APPLIED = 5_000;
/** Longest name in a schema (of a property, a definition, a keyword), in characters: error messages repeat it. */
export const MAX_SCHEMA_NAME = 1_024;
/** Longest path of names to anything in a schema, in characters. */
export const MAX_SCHEMA_PATH = 16_384;
/** Longest pattern, in characters. */
export const MAX_PATTERN_LENGTH = 2_000;
/** Largest automaton of one pattern, in instructions: each character of a text may cost that much. */
export const MAX_INSTRUCTIONS_PER_PATTERN = 3_000;
/** Instructions in the automata of all patterns of a schema together. */
export const MAX_PATTERN_INSTRUCTIONS = 50_000;
/** Places of references in one schema definition: each is read in every resource. */
export const MAX_REFERENCE_FIELDS = 1_000;
/** Longest path from the root of a schema to a reference, in subschemas. */
export const MAX_REFERENCE_DEPTH = 500;
/** Steps of the search for references: each subschema, and each one below it, once for each field that it applies to. */
export const MAX_REFERENCE_VISITS = 100_000;
/** Time to compile a schema, in ms. */
export const MAX_COMPILATION_MS = 15_000;
/** Longest wait of a new version for batches that write its resources, and for resources that they create or delete, in ms. */
export const MAX_CHANGE_WAIT_MS = 10_000;
/** Time to validate stored resources against a new version, as far as they take long, in ms. */
export const MAX_CHANGE_VALIDATION_MS = 30_000;

/* Camunda façade: a query becomes one text that Temporal parses and its store runs. */

/** Longest text of a query, in UTF-16 code units: ids of Temporal have at most 1,000 bytes, a definition id is made of two. */
export const MAX_FACADE_TEXT = 2_048;
/** Longest reason of a deletion that is accepted, in UTF-16 code units; the engine's own limit (4,000) fails the jobs. */
export const MAX_FACADE_REASON = 65_536;
/** Longest reason that the engine stores, in UTF-16 code units: a longer one fails the item, as it fails the job there. */
export const MAX_FACADE_STORED_REASON = 4_000;
/** Most ids in one deletion: with the longest body they are UUIDs of 36 characters. */
export const MAX_FACADE_IDS = 500_000;
/** Most values in all lists of one query: the server takes about a second for so many. */
export const MAX_FACADE_VALUES = 5_000;
/** Largest number of entries of `orQueries`, and of `sorting`. */
export const MAX_FACADE_OR_QUERIES = 100;
export const MAX_FACADE_SORTINGS = 100;
/** Largest number of conditions in a query; SQLite takes expressions up to 1,000 deep, and a chain of ORs is as deep as it is long. */
export const MAX_FACADE_CONDITIONS = 500;
/** Largest number of ways to read the `processDefinitionId`s of one query: its two parts may meet at each `:1:`. */
export const MAX_FACADE_READINGS = 16;
/** Largest number of `subProcessInstance`s in one query: each is a look-up of its own before the query can be written. */
export const MAX_FACADE_LOOKUPS = 20;
/** Longest visibility query, in UTF-16 code units: a quarter of gRPC's largest message, with 4 bytes for each. */
export const MAX_VISIBILITY_QUERY = 1_048_576;
/** Largest `firstResult`: the entries before it are read and left out. */
export const MAX_FACADE_FIRST_RESULT = 1_000_000;
/** Longest count that has to list the executions, in ms. */
export const MAX_FACADE_COUNT_MS = 30_000;
/** Longest message of a refusal, in UTF-16 code units: it repeats values that the caller sent. */
export const MAX_FACADE_MESSAGE = 1_000;
/**
 * Time to list the executions that the query of a deletion selects, in ms: some million executions. Recovery removes pages without a batch after
 * an hour, so the listing has to end well before.
 */
export const MAX_FACADE_SELECTION_MS = 600_000;
