import { exactJson } from '../../domain/json/exact.ts';
import type { ApiContext } from './context.ts';
import { type ErrorAnswer, errorAnswer } from './error-answers.ts';

/** The envelope of every successful answer. */
export const success = <T>(message: string, data: T) => ({ success: true as const, message, data });

/** Answers with JSON in which every number is exactly as stored, and can be sent back. For answers that contain data of a caller. */
export const answerExactly = (c: ApiContext, body: unknown, status: 200 | 201 = 200): Response =>
  c.body(exactJson(body), status, { 'Content-Type': 'application/json' });

/** Sets the headers that tell a caller how to continue, for every shape of the body, and counts outages for the metrics. */
export function setErrorHeaders(c: ApiContext, { retryAfterSeconds, challenge, server, allow }: ErrorAnswer): void {
  if (server !== undefined) c.var.services.metrics.unavailable(server);
  if (retryAfterSeconds !== undefined) c.header('Retry-After', String(retryAfterSeconds));
  if (challenge !== undefined) c.header('WWW-Authenticate', challenge);
  if (allow !== undefined) c.header('Allow', allow.join(', '));
}

/** Answers with an error in the envelope: never a stack trace. */
export function failure(c: ApiContext, error: unknown): Response {
  const known = errorAnswer(error);
  if (known === null) {
    c.var.services.logger.error(
      { err: error, requestId: c.var.requestId, path: c.req.path },
      'a request failed because of a bug',
    );
    return c.json(
      { success: false, message: `internal error; the log has the reason under request ${c.var.requestId}` },
      500,
    );
  }
  setErrorHeaders(c, known);
  if (known.status === 503) c.var.services.logger.warn({ err: error, requestId: c.var.requestId }, known.message);
  const body = {
    success: false,
    message: known.message,
    ...(known.errors && { errors: known.errors }),
    ...(known.status === 404 && { data: { error: known.message } }),
  };
  return c.json(body, known.status);
}
