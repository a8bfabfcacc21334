import { addCompletion } from './completion.ts';
import type { ProgramParts } from './context.ts';
import { EXIT, explain, Interrupted } from './exit.ts';
import { createProgram } from './program.ts';
import type { Terminal } from './terminal/output.ts';
import { oneLine } from './terminal/plain.ts';

/** What a package adds that has the service, too. */
interface Extras {
  /** Starts the service and its servers in this process: what `npm start` does. It ends the process. */
  readonly startService?: () => Promise<unknown>;
  /** Default: that of the process. */
  readonly terminal?: Terminal;
}

const PROCESS: Terminal = { out: process.stdout, err: process.stderr, in: process.stdin };

/**
 * Runs the command. @param args without the names of node and the script. @returns its exit code; null if the service runs in this process.
 */
export async function run(
  args: readonly string[],
  { startService, terminal = PROCESS }: Extras = {},
): Promise<number | null> {
  const stop = new AbortController();
  const parts: ProgramParts = {
    terminal,
    signal: stop.signal,
    args,
    interruptLines: () => [],
    exitCode: EXIT.done,
    url: '',
  };
  const program = createProgram(parts);
  let isService = false;
  if (startService)
    program
      .command('dev')
      .description('Start a whole Drover on this machine: API, workers, and the servers that are not configured.')
      .addHelpText('after', '\nExamples:\n  $ npx drover dev\n  $ PORT=9090 npx drover dev')
      .action(() => {
        isService = true;
      });
  addCompletion(program);
  const interrupt = onInterrupt(stop);
  // the callback of a write has the error; without a listener it would end the process
  for (const stream of [terminal.out, terminal.err]) stream.on('error', () => undefined);
  try {
    await program.parseAsync([...args], { from: 'user' });
    if (isService) {
      interrupt.stop();
      await startService?.();
      return null;
    }
    return parts.exitCode;
  } catch (error) {
    return report(stop.signal.aborted ? stop.signal.reason : error, parts);
  } finally {
    interrupt.stop();
  }
}

function report(error: unknown, { terminal, url, interruptLines }: ProgramParts): number {
  // the reader of the output has seen enough
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return EXIT.done;
  const { code, lines } = explain(error, url);
  const all = [...lines, ...interruptLines()].map(oneLine);
  for (const [at, line] of all.entries()) terminal.err.write(at === 0 ? `drover: ${line}\n` : `${line}\n`);
  return code;
}

/** The first Ctrl-C ends the work in order, and says how to go on; a second one ends the process. */
function onInterrupt(stop: AbortController): { stop(): void } {
  const handle = (): void => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    stop.abort(new Interrupted('stopped'));
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    stop: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}
