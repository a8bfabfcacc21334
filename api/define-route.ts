import { createRoute, type OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';
import { badRequest, MAX_FAULTS } from './envelope.ts';
import type { ApiContext, ApiEnv } from './context.ts';
import { readJson } from './read-json.ts';

export type Api = OpenAPIHono<ApiEnv>;

/** What every route asks for, as the OpenAPI document calls it. */
export const TOKEN_SCHEME = 'token';

/** What a route takes; each part is checked by the definition that the OpenAPI document shows. */
export interface RouteInput<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** OpenAPI form: `/api/batches/{batchId}`. */
  readonly path: string;
  readonly tags: string[];
  readonly summary: string;
  readonly description?: string;
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: z.ZodObject;
  readonly body?: B;
  readonly responses: RouteConfig['responses'];
}

export interface Input<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The body as received, for fingerprints. */
  readonly rawBody: Uint8Array;
}

/**
 * Adds a route: its definition goes into the OpenAPI document, and requests are checked by it before `handle` sees them.
 * @throws ApiError 400 naming each fault with its place, 413, 415.
 */
export function defineRoute<P extends z.ZodType = z.ZodUnknown, Q extends z.ZodType = z.ZodUnknown, B extends z.ZodType = z.ZodUnknown>(
  api: Api,
  input: RouteInput<P, Q, B>,
  handle: (c: ApiContext, input: Input<z.output<P>, z.output<Q>, z.output<B>>) => Response | Promise<Response>,
): void {
  const { method, path, params, query, body, headers, ...about } = input;
  const request = {
    ...(params && { params: params as never }),
    ...(query && { query: query as never }),
    ...(headers && { headers }),
    ...(body && { body: { required: true, content: { 'application/json': { schema: body as z.ZodType } } } }),
  };
  const route = createRoute({ ...about, method, path, request, security: [{ [TOKEN_SCHEME]: [] }] });
  api.openAPIRegistry.registerPath(route);
  api.on(method.toUpperCase(), route.getRoutingPath(), async (c) => {
    const checkedParams = check(params, c.req.param(), '');
    const checkedQuery = check(query, c.req.query(), '');
    const read = body ? await readJson(c) : { json: undefined, bytes: new Uint8Array() };
    const checkedBody = check(body, read.json, 'body');
    return handle(c, {
      params: checkedParams as z.output<P>,
      query: checkedQuery as z.output<Q>,
      body: checkedBody as z.output<B>,
      rawBody: read.bytes,
    });
  });
}

function check(schema: z.ZodType | undefined, value: unknown, whole: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw badRequest(...result.error.issues.slice(0, MAX_FAULTS).map((issue) => `${placeOf(issue.path) || whole}: ${issue.message}`));
}

/** `resources[3].name` */
function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (place, part) => (typeof part === 'number' ? `${place}[${part}]` : place === '' ? String(part) : `${place}.${String(part)}`),
    '',
  );
}

/** A boolean in a query: `true` or `false`; empty is absent; anything else is a fault. */
export const queryBoolean = (defaultValue: boolean) =>
  z
    .enum(['true', 'false', ''], { error: 'must be true or false' })
    .optional()
    .transform((value) => (value === undefined || value === '' ? defaultValue : value === 'true'))
    .openapi({ type: 'boolean', default: defaultValue });

/** A whole number in a query; empty is absent. */
export const queryInteger = (range: { min: number; max: number; defaultValue: number }) =>
  z
    .string()
    .optional()
    .transform((value, ctx) => {
      if (value === undefined || value === '') return range.defaultValue;
      const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= range.min && number <= range.max) return number;
      ctx.addIssue({ code: 'custom', message: `must be a whole number from ${range.min} to ${range.max}` });
      return z.NEVER;
    })
    .openapi({ type: 'integer', minimum: range.min, maximum: range.max, default: range.defaultValue });

/** A word out of a list in a query; empty is absent. */
export const queryEnum = <const T extends readonly [string, ...string[]]>(words: T) =>
  z
    .enum(['', ...words], { error: `must be one of ${words.join(', ')}` })
    .optional()
    .transform((value) => (value === '' ? undefined : (value as T[number] | undefined)))
    .openapi({ type: 'string', enum: [...words] });

/** A response in the envelope. */
export const jsonResponse = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
});

const Fault = z
  .object({ success: z.literal(false), message: z.string(), errors: z.array(z.string()).optional() })
  .openapi('Fault');
const NotFound = z
  .object({ success: z.literal(false), message: z.string(), data: z.object({ error: z.string() }) })
  .openapi('NotFound');

const FAULTS = {
  400: jsonResponse('What is wrong with the request, each fault with its index or parameter', Fault),
  401: jsonResponse('No valid token', Fault),
  403: jsonResponse('The token does not reach that far', Fault),
  404: jsonResponse('There is no such thing', NotFound),
  409: jsonResponse('Its state does not allow that', Fault),
  413: jsonResponse('The body is larger than the limit', Fault),
  415: jsonResponse('The content type is not application/json', Fault),
  422: jsonResponse('The Idempotency-Key was used with another request', Fault),
  429: jsonResponse('Too many requests at once; see Retry-After', Fault),
  503: jsonResponse('Temporal or MongoDB cannot be reached; see Retry-After', Fault),
} as const;

/** Answers other than success that a route can give. */
export function faults(...statuses: (keyof typeof FAULTS)[]): RouteConfig['responses'] {
  const always = [400, 401, 403, 429, 503] as const;
  return Object.fromEntries([...new Set([...always, ...statuses])].map((status) => [status, FAULTS[status]]));
}
