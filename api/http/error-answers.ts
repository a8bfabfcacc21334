import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { DroverError, type DroverErrorCode } from '../../domain/errors.ts';
import { classifyFailure } from '../../services/failures.ts';
import { ApiError, type ErrorDetails, serverUnavailable } from './api-error.ts';

interface Rule {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 422 | 429 | 503;
  /** Time after which the same request may succeed, in seconds. */
  readonly retryAfterSeconds?: number;
}

/** The one table from error code to HTTP status (docs/api.md#when-a-request-is-refused). */
const RULES = {
  invalid_request: { status: 400 },
  unauthorized: { status: 401 },
  forbidden: { status: 403 },
  not_found: { status: 404 },
  method_not_allowed: { status: 405 },
  body_too_slow: { status: 408 },
  name_taken: { status: 409 },
  too_many_definitions: { status: 409 },
  change_conflict: { status: 409 },
  operation_not_allowed: { status: 409 },
  body_too_large: { status: 413 },
  unsupported_media_type: { status: 415 },
  key_reused: { status: 422 },
  too_many_requests: { status: 429, retryAfterSeconds: 1 },
  temporal_busy: { status: 429, retryAfterSeconds: 2 },
  change_busy: { status: 503, retryAfterSeconds: 2 },
  earlier_run_open: { status: 503, retryAfterSeconds: 5 },
  start_failed: { status: 503, retryAfterSeconds: 5 },
  server_unavailable: { status: 503, retryAfterSeconds: 5 },
  key_set_unavailable: { status: 503, retryAfterSeconds: 5 },
  temporal_not_set_up: { status: 503, retryAfterSeconds: 30 },
  memory_exceeded: { status: 503, retryAfterSeconds: 60 },
  preview_timeout: { status: 503, retryAfterSeconds: 60 },
} as const satisfies Readonly<Record<DroverErrorCode, Rule>>;

/** Time in which the key set of tokens is not requested again after a failure, in seconds; `Retry-After` is the same. */
export const KEY_SET_RETRY_SECONDS = RULES.key_set_unavailable.retryAfterSeconds;

/** The answer to an error; each façade has its own shape for it. */
export interface ErrorAnswer extends Rule, ErrorDetails {
  readonly status: Rule['status'] & ContentfulStatusCode;
  readonly code: DroverErrorCode;
  readonly message: string;
}

/** The answer to an error; null for a bug, which is a 500. */
export function errorAnswer(error: unknown): ErrorAnswer | null {
  const known = error instanceof DroverError ? error : outageOf(error);
  if (known === null) return null;
  const details = known instanceof ApiError ? known.details : {};
  return { ...details, ...RULES[known.code], code: known.code, message: known.message };
}

function outageOf(error: unknown): DroverError | null {
  const failure = classifyFailure(error);
  if (failure.kind !== 'outage') return null;
  return failure.isBusy
    ? new DroverError('temporal_busy', 'Temporal accepts no more requests for now')
    : serverUnavailable(failure.server);
}
