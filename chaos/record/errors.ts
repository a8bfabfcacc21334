/** A wrong answer, or none: the client does not know what happened. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Its content type. */
  readonly type: string;
}
