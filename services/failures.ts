import { isGrpcServiceError, ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { DroverError, type DroverErrorCode } from '../domain/errors.ts';
import { kindOfFailure } from '../store/mongodb/errors.ts';

/**
 * Why Temporal did not start a workflow:
 * - `busy`: it receives more calls than it is configured to accept; the same call succeeds in a moment;
 * - `not_set_up`: the namespace or search attributes do not exist; every start fails until an operator acts;
 * - `denied`: the account may not start workflows; every start fails until an operator acts;
 * - `refused`: this call is wrong in itself; others may succeed;
 * - `unavailable`: it cannot be reached, or does not work.
 */
type StartFailure = 'busy' | 'not_set_up' | 'denied' | 'refused' | 'unavailable';

/** The beginning of the SDK's message for a connection that was not made in time: an error without a class or code of its own. */
const CONNECTING_TIMED_OUT = 'Failed to connect before the deadline';

/** gRPC status codes. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const UNAUTHENTICATED = 16;

/**
 * Messages of Temporal 1.29 to 1.31 for an attribute that is not registered ("Namespace default has no mapping defined for search
 * attribute X", "search attribute X is not defined"), or has another type ("invalid value for search attribute X of type Int").
 */
const ABOUT_SEARCH_ATTRIBUTES = /search attribute/i;

/** Why the start of a workflow failed. `NOT_FOUND` can only mean the namespace. */
export function startFailure(error: unknown): StartFailure {
  const cause = causeOf(error);
  if (!isGrpcServiceError(cause)) return 'unavailable';
  switch (cause.code) {
    case RESOURCE_EXHAUSTED:
      return 'busy';
    case NOT_FOUND:
      return 'not_set_up';
    case PERMISSION_DENIED:
    case UNAUTHENTICATED:
      return 'denied';
    case INVALID_ARGUMENT:
      return ABOUT_SEARCH_ATTRIBUTES.test(cause.details) ? 'not_set_up' : 'refused';
    case FAILED_PRECONDITION:
      return 'refused';
    default:
      return 'unavailable';
  }
}

/**
 * Classifies the failure of a server, for API, activities and recovery alike:
 * - `outage`: the server, or the connection to it, has failed. Activities retry without end; the API answers 503, or 429 if Temporal
 * `isBusy`, that is, accepts no more calls for a moment;
 * - `refusal`: the server will never accept this command, so a retry would fail too;
 * - `bug`: everything else. Like a refusal it is not retried, and it is logged whole.
 */
export type Failure =
  | { readonly kind: 'outage'; readonly server: 'mongodb' | 'temporal'; readonly isBusy: boolean }
  | { readonly kind: 'refusal'; readonly server: 'mongodb' | 'temporal' }
  | { readonly kind: 'bug' };

export function classifyFailure(error: unknown): Failure {
  const ofMongodb = kindOfFailure(error);
  if (ofMongodb !== null) return failureOf('mongodb', ofMongodb);
  const ofTemporal = kindOfTemporalFailure(error);
  return ofTemporal === null ? { kind: 'bug' } : failureOf('temporal', ofTemporal, isBusy(error));
}

/** Whether Temporal can be reached but accepts no more calls for a moment. */
export const isBusy = (error: unknown): boolean => startFailure(error) === 'busy';

const failureOf = (server: 'mongodb' | 'temporal', kind: 'outage' | 'refusal', isBusy = false): Failure =>
  kind === 'outage' ? { kind, server, isBusy } : { kind, server };

/** An argument that Temporal rejects stays wrong, unless it is a search attribute, which an operator can still register. */
function kindOfTemporalFailure(error: unknown): 'outage' | 'refusal' | null {
  const cause = causeOf(error);
  if (isGrpcServiceError(cause))
    return cause.code === INVALID_ARGUMENT && !ABOUT_SEARCH_ATTRIBUTES.test(cause.details) ? 'refusal' : 'outage';
  if (error instanceof ServiceError || error instanceof WorkflowNotFoundError) return 'outage';
  return error instanceof Error && error.message.startsWith(CONNECTING_TIMED_OUT) ? 'outage' : null;
}

/** The client wraps the gRPC error. */
const causeOf = (error: unknown): unknown => (error instanceof ServiceError ? error.cause : error);

/** Codes of errors after which a later attempt may succeed without an operator. */
const PASSING: ReadonlySet<DroverErrorCode> = new Set([
  'change_busy',
  'earlier_run_open',
  'temporal_busy',
  'server_unavailable',
]);

const isPassing = (error: unknown): boolean =>
  error instanceof DroverError
    ? PASSING.has(error.code) || classifyFailure(error.cause).kind === 'outage'
    : classifyFailure(error).kind === 'outage';

/** Logs a failure that leaves work to a later attempt: as a warning if that may succeed, otherwise as an error, which someone has to fix. */
export function logPostponed(logger: Logger, error: unknown, about: object, message: string): void {
  if (isPassing(error)) logger.warn({ ...about, err: error }, message);
  else logger.error({ ...about, err: error }, `${message}: a bug`);
}
