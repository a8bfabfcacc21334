import { shortened } from '../json/shortened.ts';
import { MAX_FACADE_MESSAGE } from '../limits.ts';

/** Exceptions of the Camunda 7 engine that a client can meet here; `type` of an error body. */
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
 * A request that is refused the way a Camunda 7 engine refuses it: `{type, message, code}`. `code` is 0 where the real
 * engine's core, not its REST layer, says so.
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

/** 400 with a message of ours or of the engine's REST layer. */
export const invalidRequest = (message: string): CamundaFault => new CamundaFault('InvalidRequestException', message);

/** 400 as the engine's core words it. */
export const notValid = (message: string): CamundaFault => new CamundaFault('NotValidException', message, 400, 0);
