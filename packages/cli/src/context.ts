import type { DroverClient } from '@drover/client';
import type { Command } from 'commander';
import { UsageError } from './exit.ts';
import { type Connection, clientOf, connectionOf, type GlobalOptions } from './settings/connection.ts';
import { Output, type Terminal } from './terminal/output.ts';

/** What a command works with. */
export interface Context {
  readonly client: DroverClient;
  readonly connection: Connection;
  readonly output: Output;
  readonly options: GlobalOptions;
  /** The command line, without the names of node and the script. */
  readonly args: readonly string[];
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** What Ctrl-C or a failure leaves behind: how to go on. */
  onInterrupt(lines: () => readonly string[]): void;
}

/** What the program has of its process. */
export interface ProgramParts {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly args: readonly string[];
  /** The lines of a command that was interrupted, or has failed. */
  interruptLines: () => readonly string[];
  /** Exit code of a command that ended without an error. */
  exitCode: number;
  /** The address of the last connection, for messages. */
  url: string;
}

/** The context of one command. @throws UsageError */
export async function contextOf(parts: ProgramParts, command: Command): Promise<Context> {
  const options = command.optsWithGlobals<GlobalOptions>();
  if (options.json && options.ndjson) throw new UsageError('either --json or --ndjson');
  const connection = await connectionOf(options);
  parts.url = connection.url;
  const form = options.json ? 'json' : options.ndjson ? 'ndjson' : 'text';
  return {
    client: clientOf(connection),
    connection,
    output: new Output(parts.terminal, form),
    options,
    args: parts.args,
    signal: parts.signal,
    onInterrupt: (lines) => {
      parts.interruptLines = lines;
    },
  };
}
