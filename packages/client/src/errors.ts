/** The failure that an answer describes, or the lack of an answer. */
export interface Failure {
  /** HTTP status of the answer; null if no answer came, or none that can be read. */
  readonly status: number | null;
  readonly message: string;
  /** Each fault of the request with its index or parameter, at most 100. Default: none. */
  readonly errors?: readonly string[];
  /** Seconds after which the request should be repeated. Default: not specified. */
  readonly retryAfter?: number | null;
  /** The error that prevented an answer. */
  readonly cause?: unknown;
}

/** Every failure of a request, whether the service refused it or no answer came. */
export class DroverError extends Error {
  override readonly name = 'DroverError';
  /** HTTP status; null if no answer came: the request may have been applied, or not. */
  readonly status: number | null;
  /** Each fault of the request with its index or parameter; empty if the service names none. */
  readonly errors: readonly string[];
  /** Seconds after which the request should be repeated; null if the service does not say. */
  readonly retryAfter: number | null;

  constructor({ status, message, errors = [], retryAfter = null, cause }: Failure) {
    super(message, cause === undefined ? {} : { cause });
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** @param body of an answer that is no success, as it was parsed. */
  static ofAnswer(response: Response, body: unknown): DroverError {
    const { message, errors } = isObject(body) ? body : {};
    return new DroverError({
      status: response.status,
      message: typeof message === 'string' ? message : `the service answers ${response.status} ${response.statusText}`,
      errors: Array.isArray(errors) ? errors.map(String) : [],
      retryAfter: retryAfterOf(response),
    });
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Seconds that an answer asks to wait, given as a number or as a date (RFC 9110, section 10.2.3); null if it does not. */
export function retryAfterOf(response: Response): number | null {
  const value = response.headers.get('retry-after');
  if (value === null) return null;
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}
