/**
 * What a caller may send, with unit and reason; `docs/api.md` lists these with all others. Those that an operator sets are in
 * `config.ts`.
 */

/** Most batches, resources, … that `total` of a list counts; beyond it says `totalIsCapped` (contract section 3). */
export const MAX_TOTAL = 10_000;

/** Most schema definitions of one platform: an answer that names all of them, as a dry run of a delete may, stays below 4 MiB. */
export const MAX_SCHEMA_DEFINITIONS = 10_000;

/* Camunda façade: a query becomes one text that Temporal parses, and its store carries out. */

/** Longest text of a query, in UTF-16 code units: ids of Temporal have at most 1,000 bytes, a definition id is made of two. */
export const MAX_FACADE_TEXT = 2_048;
/** Longest reason of a deletion that is accepted, in UTF-16 code units; the engine's own limit (4,000) fails the jobs. */
export const MAX_FACADE_REASON = 65_536;
/** Most ids in one deletion: with the longest body they are UUIDs of 36 characters. */
export const MAX_FACADE_IDS = 500_000;
/** Most values in all lists of one query: the server takes about a second for so many. */
export const MAX_FACADE_VALUES = 5_000;
/** Most entries of `orQueries`, and of `sorting`. */
export const MAX_FACADE_OR_QUERIES = 100;
export const MAX_FACADE_SORTINGS = 100;
/** Most conditions that a query is made of; SQLite takes expressions up to 1,000 deep, and a chain of ORs is as deep as long. */
export const MAX_FACADE_CONDITIONS = 500;
/** Most ways to read the `processDefinitionId`s of one query: each place of `:1:` may be where its two parts meet. */
export const MAX_FACADE_READINGS = 16;
/** Most `subProcessInstance`s in one query: each is a look-up of its own before the query can be written. */
export const MAX_FACADE_LOOKUPS = 20;
/** Longest visibility query, in UTF-16 code units: a quarter of what gRPC takes in one message, with 4 bytes for each. */
export const MAX_VISIBILITY_QUERY = 1_048_576;
/** Largest `firstResult`: what comes before is read and left out. */
export const MAX_FACADE_FIRST_RESULT = 1_000_000;
/** Longest count that has to list what it counts, in ms. */
export const MAX_FACADE_COUNT_MS = 30_000;
/** Longest message of a refusal, in UTF-16 code units: it repeats what the caller sent. */
export const MAX_FACADE_MESSAGE = 1_000;
