import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { end, spawnGuarded, untilAnswering } from '../embedded/processes.ts';

export interface ProgramOptions {
  /** For messages. */
  readonly name: string;
  /** Program and arguments; `node(script)` for a script of this repository. */
  readonly command: readonly [string, ...string[]];
  /** Its whole environment, except PATH and HOME. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** Matches the line of its standard output that says that it is ready; or a function that is called until it resolves. */
  readonly ready: RegExp | (() => Promise<void>);
  /** File that its output is appended to. Default: the last part of the output is kept in memory. */
  readonly log?: string;
}

/** Output that is kept in memory, in characters: the last of it. */
const OUTPUT_KEPT = 1_000_000;

/** The command that runs a script: JavaScript, or TypeScript by tsx. @param nodeOptions for Node itself, such as `--cpu-prof`. */
export function node(script: string, nodeOptions: readonly string[] = []): [string, ...string[]] {
  const loader = script.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  return [process.execPath, ...loader, ...nodeOptions, script];
}

/** A program of Drover in a process of its own; it ends when this process ends, for whatever reason. */
export class Program {
  readonly name: string;
  readonly #options: ProgramOptions;
  #child: ChildProcess;
  #ended: Promise<number | NodeJS.Signals>;
  #output = '';
  #ready: RegExpExecArray | null = null;

  private constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
    [this.#child, this.#ended] = this.#spawn();
  }

  /** Starts it without waiting. */
  static spawn(options: ProgramOptions): Program {
    return new Program(options);
  }

  /** Starts it, and waits until it is ready. @throws an error with its output if it ends first, or is not ready within a minute. */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = new Program(options);
    await program.untilReady();
    return program;
  }

  /** Null while it does not run. */
  get pid(): number | null {
    return this.#isOver ? null : (this.#child.pid ?? null);
  }

  /** The captured groups of the line that matched `ready`. */
  get ready(): string {
    return this.#ready?.[1] ?? '';
  }

  /** The output since its last start, of both streams; empty if the output goes to a log. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with its exit code, or the signal, when it has ended for whatever reason and its output is complete. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  async untilReady(): Promise<void> {
    const { name, ready, log } = this.#options;
    const saysReady = async (): Promise<void> => {
      if (this.#ready === null) throw new Error('not ready yet');
    };
    const answers = ready instanceof RegExp ? saysReady : ready;
    await untilAnswering(this.#child, { name, answers }, () => this.#output.trim() || `see ${log ?? 'no output'}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills it as a crash would (SIGKILL), and waits until it has ended. */
  kill(): Promise<void> {
    return end(this.#child, 'SIGKILL');
  }

  /** Stops it in order, by force after 10 s, and waits until it has ended. */
  stop(): Promise<void> {
    return end(this.#child, 'SIGTERM');
  }

  /** Stops it if it runs, starts it again, and waits until it is ready. */
  async restart(): Promise<void> {
    await this.stop();
    [this.#child, this.#ended] = this.#spawn();
    await this.untilReady();
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #spawn(): [ChildProcess, Promise<number | NodeJS.Signals>] {
    const { command, environment, ready, log } = this.#options;
    const [program, ...args] = command;
    this.#output = '';
    this.#ready = null;
    const { PATH, HOME } = process.env;
    const child = spawnGuarded(program, args, { PATH, HOME, ...environment });
    const file = log === undefined ? null : createWriteStream(log, { flags: 'a' });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (part: string) => {
        if (file === null) this.#output = (this.#output + part).slice(-OUTPUT_KEPT);
        else file.write(part);
      });
    }
    if (ready instanceof RegExp && child.stdout)
      createInterface(child.stdout).on('line', (line) => {
        this.#ready ??= ready.exec(line);
      });
    const ended = once(child, 'close').then(([code, signal]) => {
      file?.end();
      return (code ?? signal) as number | NodeJS.Signals;
    });
    return [child, ended];
  }
}
