import type { ServerResponse } from 'node:http';
import { createMiddleware } from 'hono/factory';
import { NAMESPACE_SCOPE, scopeKey } from '../../domain/batch/scope.ts';
import type { ApiEnv } from '../http/context.ts';

/** Counts a request until its answer has gone out, or its caller has: a stream of events counts, as one, as long as it lasts. */
export const limitLoad = createMiddleware<ApiEnv>(async (c, next) => {
  // a tenant named as the operator's requests would be otherwise keeps nobody from operating
  const load = c.var.services.load.begin(scopeKey(c.var.actsOnNamespace ? NAMESPACE_SCOPE : c.var.scope));
  c.set('load', load);
  // without a socket (`app.request()`) there is no such thing as going out
  const outgoing = (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing;
  outgoing?.once('close', load.end);
  try {
    await next();
  } finally {
    // the caller may have gone while its body was still being read
    if (outgoing === undefined || outgoing.closed) load.end();
  }
});
