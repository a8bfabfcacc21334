import { isGrpcServiceError, ServiceError } from '@temporalio/client';

/**
 * Why Temporal did not take a call:
 * - `busy`: more calls than it is set up to take; the same call succeeds in a moment;
 * - `not_set_up`: no such namespace, or search attributes that it does not know; every start fails until an operator acts;
 * - `denied`: the account may not do this, likewise;
 * - `refused`: this one call is wrong in itself, whatever becomes of others;
 * - `unavailable`: it cannot be reached, or is not well.
 */
export type CallFailure = 'busy' | 'not_set_up' | 'denied' | 'refused' | 'unavailable';

/** gRPC status codes. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const UNAUTHENTICATED = 16;

/**
 * What Temporal 1.29 to 1.31 says of an attribute that is not registered ("Namespace default has no mapping defined for search
 * attribute X", "search attribute X is not defined"), or is of another type ("invalid value for search attribute X of type Int").
 */
const ABOUT_SEARCH_ATTRIBUTES = /search attribute/i;

/** Why the start of a workflow failed: for a start, nothing else than the namespace can be not found. */
export function startFailure(error: unknown): CallFailure {
  const cause = error instanceof ServiceError ? error.cause : error;
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
 * Whether Temporal, or the way to it, has failed a call, of whatever kind: the same call may succeed later. One that is wrong in
 * itself is a bug of ours.
 */
export function isTemporalFailure(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  if (isGrpcServiceError(cause)) return cause.code !== INVALID_ARGUMENT;
  return (
    error instanceof ServiceError ||
    (error instanceof Error && error.message.startsWith('Failed to connect before the deadline'))
  );
}

/** Whether Temporal is there and takes no more calls for now. */
export const isBusy = (error: unknown): boolean => startFailure(error) === 'busy';
