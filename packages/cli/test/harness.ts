import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ROOT } from '../../../test/harness/repository.ts';
import { node } from '../../../testkit/program.ts';
import { run } from '../src/run.ts';
import type { Terminal } from '../src/terminal/output.ts';

/** How a command ended. */
interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export const MAIN = node(join(ROOT, 'packages/cli/src/main.ts'));

/** A folder of its own. */
export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'drover-cli-'));

/** Environment of a command, without settings of whoever runs the tests. */
export const environmentIn = (folder: string, more: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env.PATH ?? '',
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, 'config'),
  XDG_STATE_HOME: join(folder, 'state'),
  TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json'),
  TERM: 'xterm-256color',
  ...more,
});

/** Runs the command in this process. @param columns of a terminal; absent: a pipe. @param keys what is typed. */
export async function inProcess(
  args: readonly string[],
  { columns, keys }: { readonly columns?: number; readonly keys?: string } = {},
): Promise<Ended> {
  const stream = () => Object.assign(new PassThrough(), columns === undefined ? {} : { isTTY: true, columns });
  const terminal = { out: stream(), err: stream(), in: stream() } as Terminal &
    Record<'out' | 'err' | 'in', PassThrough>;
  const texts = { out: '', err: '' };
  for (const name of ['out', 'err'] as const)
    terminal[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  if (keys !== undefined) terminal.in.end(keys);
  const code = await run(args, { terminal });
  await new Promise(setImmediate);
  return { code, ...texts };
}

/** A process, on a pipe or, with `columns`, on a pseudo terminal, which mixes its outputs. */
export class Running {
  readonly ended: Promise<Ended>;
  readonly #child;
  #out = '';
  #err = '';

  constructor(
    command: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>>,
    columns?: number,
  ) {
    const [program, ...args] = columns === undefined ? command : onTerminal(command, columns);
    this.#child = spawn(program, args, { env: environment, stdio: 'pipe' });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#out += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#err += text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => resolve({ code, out: this.#out, err: this.#err }));
    });
  }

  get output(): string {
    return this.#out;
  }

  /** Keys that are typed, or standard input. */
  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  endInput(): void {
    this.#child.stdin.end();
  }
}

/** The command below `script`, which gives it a terminal. */
function onTerminal(command: readonly string[], columns: number): [string, ...string[]] {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return ['script', '--quiet', '--return', '--command', `stty cols ${columns} rows 24; exec ${quoted}`, '/dev/null'];
}

/** Runs the command as a process with nothing on its standard input. */
export function asProcess(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Ended> {
  const running = new Running([...MAIN, ...args], environment);
  running.endInput();
  return running.ended;
}

/** What a terminal shows in the end is on lines of which none is wider than it; control sequences take no room. */
export const drawn = (output: string): string[] =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences of terminals
  output.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '\r').split(/[\r\n]+/);

/** Text without its colours. */
export const withoutColours = (output: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences of terminals
  output.replace(/\x1b\[[0-9;]*m/g, '');
