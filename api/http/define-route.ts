import { createRoute, type OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';
import { shortened } from '../../domain/json/shortened.ts';
import type { JsonFlaw } from '../../domain/json/source.ts';
import { MAX_FAULTS, MAX_SCOPE_NAME, MAX_TOTAL } from '../../domain/limits.ts';
import { ApiError, badRequest } from './api-error.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { placeOf } from './place.ts';
import { type JsonBody, readJson } from './read-json.ts';
import { assertNoBody, isWellEncoded, readQuery } from './read-query.ts';
import { type KnownNames, unknownName } from './unknown-names.ts';

export type Api = OpenAPIHono<ApiEnv>;

/** The security scheme of every route, as the OpenAPI document names it. */
export const TOKEN_SCHEME = 'token';

/** The input of a route; each part is checked by the definition that the OpenAPI document shows. */
interface RouteInput<P extends z.ZodType, Q extends z.ZodObject, B extends z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** OpenAPI form: `/api/batches/{batchId}`. */
  readonly path: string;
  /** Name of the operation in generated clients. */
  readonly operationId: string;
  readonly tags: string[];
  readonly summary: string;
  readonly description: string;
  readonly params?: P;
  readonly query?: Q;
  /** Headers by names in lower case. */
  readonly headers?: z.ZodObject;
  readonly body?: B;
  /** Top-level fields of a body whose schema is no `z.strictObject`, which names its own. */
  readonly bodyFields?: readonly string[];
  /** What a body should contain, for the message to callers that send none. */
  readonly bodyHint?: string;
  /** Content types of a body that the handler reads itself, as it arrives. */
  readonly streams?: readonly string[];
  /** An array in the body whose entries have outcomes of their own: a flaw inside an entry does not fail the request. */
  readonly entries?: string;
  readonly responses: RouteConfig['responses'];
}

export interface Input<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The body as received: its bytes, and its parsed value. */
  readonly rawBody: Uint8Array;
  readonly json: unknown;
  /** Flaws inside the route's `entries`, by entry; their paths begin in the entry. */
  readonly entryFlaws: ReadonlyMap<number, JsonFlaw>;
}

/**
 * Adds a route: its definition goes into the OpenAPI document, and requests are checked by it before `handle` sees them. Nothing
 * in a request is ignored: a name that the definition does not have, or has elsewhere, is a fault (docs/api.md#the-three-requests).
 * @throws DroverError 400 naming each fault with its place, 413, 415.
 */
export function defineRoute<
  P extends z.ZodType = z.ZodUnknown,
  Q extends z.ZodObject = z.ZodObject,
  B extends z.ZodType = z.ZodUnknown,
>(
  api: Api,
  input: RouteInput<P, Q, B>,
  handle: (c: ApiContext, input: Input<z.output<P>, z.output<Q>, z.output<B>>) => Response | Promise<Response>,
): void {
  const { method, path, params, query, body, bodyFields, bodyHint, entries, headers, streams, ...about } = input;
  const request = {
    ...(params && { params: params as never }),
    ...(query && { query: query as never }),
    headers: z.object({ ...TENANT_HEADER, ...headers?.shape }),
    ...(body && { body: { required: true, content: { 'application/json': { schema: body as z.ZodType } } } }),
    ...(streams && { body: { content: Object.fromEntries(streams.map((type) => [type, { schema: BYTES }])) } }),
  };
  const known: KnownNames = {
    query: Object.keys(query?.shape ?? {}),
    body: body === undefined ? [] : (bodyFields ?? fieldsOf(body)),
  };
  const route = createRoute({ ...about, method, path, request, security: [{ [TOKEN_SCHEME]: [] }] });
  api.openAPIRegistry.registerPath(route);
  api.on(method.toUpperCase(), route.getRoutingPath(), async (c) => {
    const faults: string[] = [];
    if (!isWellEncoded(c)) throw badRequest('query: is not percent-encoded UTF-8');
    const checkedParams = check(faults, params, c.req.param(), '');
    const checkedQuery = check(faults, query, readQuery(c, faults, known), '');
    check(faults, headers, c.req.header(), '');
    if (body === undefined && streams === undefined) await assertNoBody(c, faults, known);
    const read = body ? await readBody(c, faults, bodyHint) : null;
    if (read) faults.push(...unknownFields(read.json, known));
    const entryFlaws = read ? sortFlaws(read.flaws, entries, faults) : new Map<number, JsonFlaw>();
    const checkedBody = read && check(faults, body, read.json, 'body');
    if (faults.length > 0) throw badRequest(...faults);
    return handle(c, {
      params: checkedParams as z.output<P>,
      query: checkedQuery as z.output<Q>,
      body: checkedBody as z.output<B>,
      rawBody: read?.bytes ?? new Uint8Array(),
      json: read?.json,
      entryFlaws,
    });
  });
}

/** A body that is a stream. */
const BYTES = z.string().openapi({ format: 'binary' });

/** @throws if the schema would accept names that it does not define: a mistake in a route, found at the start. */
function fieldsOf(body: z.ZodType): string[] {
  if (body instanceof z.ZodObject && body.def.catchall instanceof z.ZodNever) return Object.keys(body.shape);
  throw new Error('a body is a z.strictObject, or its route names the fields');
}

/** Top-level fields that a body should not have, at most as many as an answer lists. */
function unknownFields(json: unknown, known: KnownNames): string[] {
  const faults: string[] = [];
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return faults;
  for (const name in json) {
    if (!known.body.includes(name)) faults.push(unknownName(name, 'body', known));
    if (faults.length === MAX_FAULTS) break;
  }
  return faults;
}

/** Flaws inside entries, by entry; all others are faults of the request. */
function sortFlaws(
  flaws: readonly JsonFlaw[],
  entries: string | undefined,
  faults: string[],
): ReadonlyMap<number, JsonFlaw> {
  const ofEntries = new Map<number, JsonFlaw>();
  for (const { path, message } of flaws) {
    const [field, index, ...inner] = path;
    if (field === entries && typeof index === 'number' && inner.length > 0) {
      ofEntries.set(index, { path: inner, message });
    } else if (faults.length < MAX_FAULTS) faults.push(`${shortened(placeOf(path)) || 'body'}: ${message}`);
  }
  return ofEntries;
}

/**
 * Accepted by every route; its length, and whether the caller may use it, are checked with the token. `reach-tenant-id*` is no parameter of the
 * document: generators make one name of both.
 */
export const TENANT_HEADER = {
  'reach-tenant-id': z.string().optional().openapi({
    // visible ASCII without commas; spaces within; empty is absent
    pattern: '^([!-+\\--~]([ -+\\--~]*[!-+\\--~])?)?$',
    maxLength: MAX_SCOPE_NAME,
    description:
      "The tenant that the request is about, in ASCII without commas; for platform scope. Any other name goes, percent-encoded, into `reach-tenant-id*` (RFC 8187): `UTF-8''caf%C3%A9`",
  }),
};

/** Parses a value by `schema`; its faults are added to the list. */
function check(faults: string[], schema: z.ZodType | undefined, value: unknown, whole: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const { code, path, message } of result.error.issues.slice(0, MAX_FAULTS)) {
    // reported already, with the name that was probably meant
    if (code !== 'unrecognized_keys' || path.length > 0) faults.push(`${placeOf(path) || whole}: ${message}`);
  }
  return undefined;
}

/** A body that is no JSON is one fault among others; a body that must not be read is refused alone. */
async function readBody(c: ApiContext, faults: string[], hint?: string): Promise<JsonBody | null> {
  try {
    return await readJson(c, hint);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'invalid_request') throw error;
    faults.push(...(error.details.errors ?? [error.message]));
    return null;
  }
}

/**
 * An array of a body. Elements are checked until a hundred of them are wrong: millions of wrong ones, each with its own
 * message, would take more memory than there is.
 */
export const bodyArray = <T>(element: { isRight: (value: unknown) => value is T; fault: string }, notArray: string) =>
  z
    .custom<T[]>((value) => Array.isArray(value), { error: notArray })
    .superRefine((values, ctx) => {
      let faults = 0;
      for (const [index, value] of values.entries()) {
        if (faults === MAX_FAULTS) return;
        if (element.isRight(value)) continue;
        faults += 1;
        ctx.addIssue({ code: 'custom', path: [index], message: element.fault });
      }
    });

/** A boolean in a query: `true` or `false`; empty is absent; anything else is a fault. */
export const queryBoolean = (defaultValue: boolean) =>
  z
    .enum(['true', 'false', ''], { error: 'must be true or false' })
    .optional()
    .transform((value) => (value === undefined || value === '' ? defaultValue : value === 'true'))
    .openapi({ type: 'boolean', default: defaultValue });

/** A whole number in a query; empty is absent. */
export const queryInteger = (range: { min: number; max: number; defaultValue: number }) =>
  optionalInteger(range)
    .transform((value) => value ?? range.defaultValue)
    .openapi({ type: 'integer', minimum: range.min, maximum: range.max, default: range.defaultValue });

/** The same without a default. */
export const optionalInteger = (range: { min: number; max: number }) =>
  z
    .string()
    .optional()
    .transform((value, ctx) => {
      if (value === undefined || value === '') return undefined;
      const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= range.min && number <= range.max) return number;
      ctx.addIssue({ code: 'custom', message: wholeNumberFault(range) });
      return z.NEVER;
    })
    .openapi({ type: 'integer', minimum: range.min, maximum: range.max });

export const wholeNumberFault = ({ min, max }: { min: number; max: number }): string =>
  `must be a whole number from ${min} to ${max}`;

/** A word of a list in a query; empty is absent. */
export const queryEnum = <const T extends readonly [string, ...string[]]>(words: T) =>
  z
    .enum(['', ...words], { error: `must be one of ${words.join(', ')}` })
    .optional()
    .transform((value) => (value === '' ? undefined : (value as T[number] | undefined)))
    .openapi({ type: 'string', enum: [...words] });

/** The same if absence means one of the words. */
export const queryEnumOr = <const T extends readonly [string, ...string[]]>(words: T, defaultValue: T[number]) =>
  queryEnum(words)
    .transform((value) => value ?? defaultValue)
    .openapi({ type: 'string', enum: [...words], default: defaultValue });

/** The query of a list. */
export const pageQuery = ({ max, defaultLimit }: { max: number; defaultLimit: number }) => ({
  cursor: z
    .string()
    .optional()
    .openapi({ description: 'That of the page before; absent or empty: from the beginning' }),
  limit: queryInteger({ min: 1, max, defaultValue: defaultLimit }),
});

/** The end of each page of a list. */
const Pagination = z
  .object({
    hasNextPage: z.boolean(),
    total: z
      .number()
      .int()
      .min(0)
      .openapi({ description: `On all pages together, as of now: exact up to ${MAX_TOTAL}, which it stays at beyond` }),
    totalIsCapped: z
      .literal(true)
      .optional()
      .openapi({ description: 'There are more than `total`; absent where it is exact' }),
    cursor: z.string().nullable().openapi({ description: 'Requests the next page; null on the last one' }),
  })
  .openapi('Pagination');

/** A response in the envelope. */
export const jsonResponse = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A successful answer in the envelope. */
export const enveloped = <T extends z.ZodType>(data: T) =>
  z.object({ success: z.literal(true), message: z.string(), data });
/** A page of a list in the envelope. */
export const pageOf = <T extends z.ZodType>(result: T) =>
  enveloped(z.object({ results: z.array(result), pagination: Pagination }));

const Fault = z
  .object({ success: z.literal(false), message: z.string(), errors: z.array(z.string()).optional() })
  .openapi('Fault');
const NotFound = z
  .object({ success: z.literal(false), message: z.string(), data: z.object({ error: z.string() }) })
  .openapi('NotFound');

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds after which to try again',
    schema: { type: 'integer', minimum: 0 },
  },
} as const;

export const FAULTS = {
  400: jsonResponse('What is wrong with the request, each fault with its index or parameter', Fault),
  401: jsonResponse('No valid token', Fault),
  403: jsonResponse('The token does not reach that far', Fault),
  404: jsonResponse('There is no such thing', NotFound),
  408: jsonResponse('The body comes too slowly', Fault),
  409: jsonResponse('Its state does not allow that', Fault),
  413: jsonResponse('The body is larger than the limit', Fault),
  415: jsonResponse('The content type is not application/json', Fault),
  422: jsonResponse('The Idempotency-Key was used with another request', Fault),
  429: { ...jsonResponse('Too many requests at once', Fault), headers: RETRY_AFTER },
  500: jsonResponse('A bug in Drover; the log has the reason under X-Request-Id', Fault),
  503: {
    ...jsonResponse('Temporal or MongoDB cannot be reached, or Temporal is not set up for batches', Fault),
    headers: RETRY_AFTER,
  },
} as const;

/** Answers other than success that a route can give. */
export function faults(...statuses: (keyof typeof FAULTS)[]): RouteConfig['responses'] {
  const always = [400, 401, 403, 408, 429, 500, 503] as const;
  return Object.fromEntries([...new Set([...always, ...statuses])].map((status) => [status, FAULTS[status]]));
}
