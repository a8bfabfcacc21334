import { DroverError, type DroverErrorCode } from '../../domain/errors.ts';
import { MAX_FAULTS } from '../../domain/limits.ts';

/** The servers behind the API. */
export const SERVER_NAMES = { mongodb: 'MongoDB', temporal: 'Temporal' } as const;
export type Server = keyof typeof SERVER_NAMES;

/** The details of an error answer, beside status and message. */
export interface ErrorDetails {
  /** Each fault with its index or parameter. */
  readonly errors?: readonly string[];
  /** The authentication challenge, for `WWW-Authenticate`. */
  readonly challenge?: string;
  /** The methods that the path has, for `Allow`. */
  readonly allow?: readonly string[];
  /** The server that is unavailable. */
  readonly server?: Server;
}

/** An error with details that only HTTP has. */
export class ApiError extends DroverError {
  override readonly name = 'ApiError';
  readonly details: ErrorDetails;

  constructor(code: DroverErrorCode, message: string, details: ErrorDetails) {
    super(code, message);
    this.details = details;
  }
}

export const badRequest = (...errors: readonly string[]): ApiError =>
  new ApiError('invalid_request', errors.length === 1 ? (errors[0] ?? '') : 'the request has faults', {
    errors: errors.slice(0, MAX_FAULTS),
  });
export const notFound = (message: string): DroverError => new DroverError('not_found', message);

export const methodNotAllowed = (path: string, allow: readonly string[]): ApiError =>
  new ApiError('method_not_allowed', `${path} has no such method: ${allow.join(', ')}`, { allow });

export const serverUnavailable = (server: Server): ApiError =>
  new ApiError('server_unavailable', `${SERVER_NAMES[server]} cannot be reached`, { server });
