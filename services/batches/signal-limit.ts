import { isGrpcServiceError, ServiceError } from '@temporalio/client';

/** gRPC status code. */
const INVALID_ARGUMENT = 3;
/** How Temporal refuses a signal to an execution that has had as many as one may have (10,000). */
const SIGNAL_LIMIT = /limit for signal/i;

/**
 * Whether Temporal takes no more signals for an open execution. Its workflow continues as new as soon as a worker sees to it, long
 * before that number where one does (`SIGNALS_PER_EXECUTION`); then there is room again.
 * @param error what `handle.signal` threw.
 */
export function isSignalLimit(error: unknown): boolean {
  const refusal = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(refusal) && refusal.code === INVALID_ARGUMENT && SIGNAL_LIMIT.test(refusal.details);
}
