import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.ts';

/** Most characters of an error's message that are logged. */
const MAX_MESSAGE = 1_000;
/** Largest number of causes of an error that are logged. */
const MAX_CAUSES = 3;

interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/**
 * The log of a process: JSON, one line for each event. Of errors it contains name, message, code and place; other fields of an error (a
 * command of MongoDB with its documents, the metadata of a call) may be data of callers.
 */
export function createLogger(
  config: Pick<Config, 'LOG_LEVEL'>,
  about: { readonly service?: string } = {},
  destination: DestinationStream = pino.destination(1),
): Logger {
  return pino(
    { level: config.LOG_LEVEL, base: about, serializers: { err: (error: unknown) => describeError(error) } },
    destination,
  );
}

function describeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'no error was thrown' };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: messageOf(error),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(error.stack !== undefined && { stack: framesOf(error.stack) }),
    ...(error.cause !== undefined && depth < MAX_CAUSES && { cause: describeError(error.cause, depth + 1) }),
  };
}

/** A parser quotes the text that it fails on. */
function messageOf(error: Error): string {
  return error instanceof SyntaxError ? 'what was to be parsed is malformed' : error.message.slice(0, MAX_MESSAGE);
}

/** The lines of a stack that name places; the lines before them repeat the message. */
function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}
