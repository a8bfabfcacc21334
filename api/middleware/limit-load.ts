import type { ServerResponse } from 'node:http';
import { createMiddleware } from 'hono/factory';
import { NAMESPACE_SCOPE, scopeKey } from '../../domain/batch/scope.ts';
import type { ApiEnv } from '../http/context.ts';

/** Counts a request until its answer is sent or its caller has disconnected. An event stream counts as one, as long as it lasts. */
export const limitLoad = createMiddleware<ApiEnv>(async (c, next) => {
  // the operator's requests have a key that no tenant can have, so that no tenant uses up the operator's share
  const load = c.var.services.load.begin(scopeKey(c.var.actsOnNamespace ? NAMESPACE_SCOPE : c.var.scope));
  c.set('load', load);
  // there is no socket in `app.request()`
  const outgoing = (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing;
  outgoing?.once('close', load.end);
  try {
    await next();
  } finally {
    // the caller may have disconnected while its body was being read
    if (outgoing === undefined || outgoing.closed) load.end();
  }
});
