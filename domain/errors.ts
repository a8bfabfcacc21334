/** Why a request or a piece of work failed: one closed list. `api/http/error-answers.ts` has the HTTP status of each code. */
export type DroverErrorCode =
  // faults of the request itself
  | 'invalid_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'body_too_slow'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'key_reused'
  | 'too_many_requests'
  // stored objects do not allow it
  | 'name_taken'
  | 'too_many_definitions'
  | 'change_conflict'
  | 'operation_not_allowed'
  // the same request may succeed later
  | 'change_busy'
  | 'memory_exceeded'
  | 'preview_timeout'
  | 'earlier_run_open'
  | 'start_failed'
  | 'temporal_busy'
  | 'temporal_not_set_up'
  | 'server_unavailable'
  | 'key_set_unavailable';

/**
 * The base of the errors that one floor throws and another one distinguishes by `code`. Failures of MongoDB and Temporal are not
 * wrapped (`services/failures.ts` classifies them), and a fault of the Camunda façade has the engine's own shape (`CamundaFault`).
 */
export class DroverError extends Error {
  override readonly name: string = 'DroverError';
  readonly code: DroverErrorCode;

  /** @param message for the caller: it contains nothing that only an operator may see. */
  constructor(code: DroverErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function hasCode<C extends DroverErrorCode>(
  error: unknown,
  code: C,
): error is DroverError & { readonly code: C } {
  return error instanceof DroverError && error.code === code;
}
