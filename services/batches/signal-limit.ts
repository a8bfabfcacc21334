import { isGrpcServiceError, ServiceError } from '@temporalio/client';

/** gRPC status code. */
const INVALID_ARGUMENT = 3;
/** The message with which Temporal refuses a signal to an execution that has the largest number of signals (10,000). */
const SIGNAL_LIMIT = /limit for signal/i;

/**
 * Whether Temporal accepts no more signals for an open execution. Its workflow continues as new as soon as a worker runs it, usually long
 * before that number (`SIGNALS_PER_EXECUTION`); then it accepts signals again.
 * @param error the error of `handle.signal`.
 */
export function isSignalLimit(error: unknown): boolean {
  const refusal = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(refusal) && refusal.code === INVALID_ARGUMENT && SIGNAL_LIMIT.test(refusal.details);
}
