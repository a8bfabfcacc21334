import { DroverError } from '@drover/client';
import { CommanderError } from 'commander';

/** How the command ends (docs/cli.md). */
export const EXIT = { done: 0, notAll: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

/** The command was not used as it should be: one line, and perhaps hints. */
export class UsageError extends Error {
  readonly hints: readonly string[];

  constructor(message: string, ...hints: readonly string[]) {
    super(message);
    this.hints = hints;
  }
}

/** The user has stopped it; the lines say how to go on. */
export class Interrupted extends Error {
  readonly lines: readonly string[];

  constructor(...lines: readonly string[]) {
    super('stopped');
    this.lines = lines;
  }
}

/** Answers of a service, or of a proxy in front of it, that cannot do its work now. */
const AWAY: readonly (number | null)[] = [null, 502, 503, 504];

/** The exit code for what was thrown, and the lines that say why. */
export function explain(error: unknown, url: string): { readonly code: number; readonly lines: readonly string[] } {
  // commander has said it already
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? EXIT.done : EXIT.usage, lines: [] };
  if (error instanceof Interrupted) return { code: EXIT.interrupted, lines: error.lines };
  if (error instanceof UsageError) return { code: EXIT.usage, lines: [error.message, ...error.hints] };
  if (error instanceof DroverError) return ofService(error, url);
  if (error instanceof Error && 'code' in error && 'path' in error) return { code: EXIT.usage, lines: [error.message] };
  // such as a disk that is full
  if (error instanceof Error && 'syscall' in error) return { code: EXIT.notAll, lines: [error.message] };
  return { code: EXIT.notAll, lines: [error instanceof Error ? (error.stack ?? error.message) : String(error)] };
}

function ofService({ status, message, errors }: DroverError, url: string) {
  const code = AWAY.includes(status) ? EXIT.unreachable : EXIT.notAll;
  const faults = errors.filter((fault) => fault !== message).map((fault) => `  ${fault}`);
  return { code, lines: [message, ...faults, ...hintsOf(status, url)] };
}

function hintsOf(status: number | null, url: string): string[] {
  if (status === null) return [`is a service running at ${url}? Another address: --url, DROVER_URL or a profile`];
  if (status === 401)
    return ['a token is given by --token, DROVER_TOKEN or a profile; drover token makes one for development'];
  if (status === 403) return ['the token does not reach that far: see its tenant and scope'];
  return [];
}
