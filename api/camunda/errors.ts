import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type CamundaExceptionType, CamundaFault } from '../../domain/executions/camunda-fault.ts';
import type { ApiContext } from '../http/context.ts';
import { setErrorHeaders } from '../http/envelope.ts';
import { errorAnswer } from '../http/error-answers.ts';

/** Faults of HTTP itself, with the messages of the engine's REST layer. */
export const notFound = (): CamundaFault => new CamundaFault('NotFoundException', 'HTTP 404 Not Found', 404);
export const methodNotAllowed = (): CamundaFault =>
  new CamundaFault('NotAllowedException', 'HTTP 405 Method Not Allowed', 405);
export const notAcceptable = (): CamundaFault =>
  new CamundaFault('NotAcceptableException', 'HTTP 406 Not Acceptable', 406);
export const unsupportedMediaType = (): CamundaFault =>
  new CamundaFault('NotSupportedException', 'HTTP 415 Unsupported Media Type', 415);

/** A query parameter that is no number: the engine's REST layer answers as if the path were wrong. */
export const badNumber = (): CamundaFault => new CamundaFault('QueryParamException', 'HTTP 404 Not Found', 404);

const TYPES: Readonly<Record<number, CamundaExceptionType>> = {
  400: 'InvalidRequestException',
  401: 'AuthenticationException',
  403: 'AuthorizationException',
  404: 'NotFoundException',
  415: 'NotSupportedException',
};

/** Answers with an error as a Camunda 7 engine does: `{type, message, code}`, never a stack trace. */
export function camundaFailure(c: ApiContext, error: unknown): Response {
  const fault = error instanceof CamundaFault ? error : toFault(c, error);
  return c.json({ type: fault.type, message: fault.message, code: fault.code }, fault.status as ContentfulStatusCode);
}

function toFault(c: ApiContext, error: unknown): CamundaFault {
  const { logger } = c.var.services;
  const known = errorAnswer(error);
  if (known === null) {
    logger.error({ err: error, requestId: c.var.requestId, path: c.req.path }, 'a request failed because of a bug');
    return new CamundaFault(
      'RestException',
      `internal error; the log has the reason under request ${c.var.requestId}`,
      500,
    );
  }
  setErrorHeaders(c, known);
  if (known.status === 503) logger.warn({ err: error, requestId: c.var.requestId }, known.message);
  return new CamundaFault(TYPES[known.status] ?? 'RestException', known.message, known.status);
}
