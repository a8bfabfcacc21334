import { createDrover, type DroverClient } from '@drover/client';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv } from '../../api/http/context.ts';

/** Longest wait for an answer, in ms: no test fails because this machine is slow. */
const ANSWER_TIMEOUT_MS = 300_000;

/** The tenant of a request. */
export interface CallerOptions {
  readonly headers?: Record<string, string>;
  readonly tenant?: string;
}

/** A client of an API in this process; no request is repeated. */
export function inProcessClient(
  app: Pick<OpenAPIHono<ApiEnv>, 'request'>,
  { tenant, headers = {} }: CallerOptions = {},
): DroverClient {
  return createDrover({
    url: 'http://localhost',
    retry: false,
    timeoutMs: ANSWER_TIMEOUT_MS,
    ...(tenant !== undefined && { tenant }),
    fetch: async (request) => {
      const body = request.body === null ? {} : { body: await request.arrayBuffer() };
      const all = { ...Object.fromEntries(request.headers), ...headers };
      return app.request(request.url, { method: request.method, headers: all, ...body });
    },
  });
}
