import { shortened } from '../json/shortened.ts';
import { MAX_FACADE_MESSAGE } from '../limits.ts';

/** Exceptions of the Camunda 7 engine that a client of the façade may receive; `type` of an error body. */
export type CamundaExceptionType =
  | 'InvalidRequestException'
  | 'NotValidException'
  | 'QueryParamException'
  | 'NotFoundException'
  | 'NotAllowedException'
  | 'NotAcceptableException'
  | 'NotSupportedException'
  | 'AuthorizationException'
  | 'AuthenticationException'
  | 'RestException'
  | 'ProcessEngineException';

/**
 * A request that is refused as a Camunda 7 engine refuses it: `{type, message, code}`. `code` is 0 if the real
 * engine's core, not its REST layer, refuses the request.
 */
export class CamundaFault extends Error {
  override readonly name = 'CamundaFault';
  readonly type: CamundaExceptionType;
  readonly status: number;
  readonly code: 0 | null;

  constructor(type: CamundaExceptionType, message: string, status = 400, code: 0 | null = null) {
    super(shortened(message, MAX_FACADE_MESSAGE));
    this.type = type;
    this.status = status;
    this.code = code;
  }
}

/** 400 with a message of Drover or of the engine's REST layer. */
export const invalidRequest = (message: string): CamundaFault => new CamundaFault('InvalidRequestException', message);

/** 400 in the words of the engine's core. */
export const notValid = (message: string): CamundaFault => new CamundaFault('NotValidException', message, 400, 0);
