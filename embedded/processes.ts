import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that this process started. It ends when this process does, however that dies. */
export interface ServerProcess {
  /** Of the running server; null while it is down. */
  readonly pid: number | null;
  /** Ends it at once, as a crash would (SIGKILL), and waits until it has ended. */
  kill(): Promise<void>;
  /** Ends it in order, by force after 10 s, and waits until it has ended. */
  stop(): Promise<void>;
  /** Starts it again at the same address over the same data, and waits until it answers. */
  restart(): Promise<void>;
}

export interface ServerCommand {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Resolves if the server answers; called again until it does. */
  readonly answers: () => Promise<void>;
  /** Receives each line of its standard output. */
  readonly heard?: (line: string) => void;
}

/** Longest start of a server, in ms. */
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const ASK_EVERY_MS = 50;

/** First output kept for the same message, in characters. */
const FIRST_OUTPUT_KEPT = 500;
/** Last output kept for the message about a server that does not start, in characters. */
const OUTPUT_KEPT = 4_000;

/**
 * Becomes the server, so that the child's pid is the server's. A guard process beside it reads the pipe on descriptor 3: a line
 * means that the server has ended; the end of the pipe means that this process has ended, and then the guard ends the server.
 */
const GUARDED_COMMAND = `
(
  if read -r line <&3; then exit 0; fi
  kill -TERM $$ 2>/dev/null
  tries=0
  while kill -0 $$ 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL $$ 2>/dev/null
) </dev/null >/dev/null 2>&1 &
exec "$@" 3<&-
`;

/** Starts a server and waits until it answers. @throws with its last output when it ends first, or never answers. */
export async function startServer(server: ServerCommand): Promise<ServerProcess> {
  let running = await startOnce(server);
  return {
    get pid() {
      return running.exitCode === null && running.signalCode === null ? (running.pid ?? null) : null;
    },
    kill: () => end(running, 'SIGKILL'),
    stop: () => end(running, 'SIGTERM'),
    restart: async () => {
      await end(running, 'SIGTERM');
      running = await startOnce(server);
    },
  };
}

async function startOnce(server: ServerCommand): Promise<ChildProcess> {
  const child = spawnGuarded(server.command, server.args);
  const output = lastOutput(child);
  const { heard } = server;
  if (heard && child.stdout) createInterface(child.stdout).on('line', heard);
  await untilAnswering(child, server, output);
  return child;
}

/**
 * Waits until a process that was just started answers.
 * @param output returns its output so far, for the message of the error.
 * @throws if it ends first, or does not answer in time: then it is killed.
 */
export async function untilAnswering(
  child: ChildProcess,
  { name, answers }: Pick<ServerCommand, 'name' | 'answers'>,
  output: () => string,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${name} ended at its start (${child.signalCode ?? child.exitCode}): ${output()}`);
    }
    try {
      await answers();
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        await end(child, 'SIGKILL');
        throw new Error(`${name} does not answer after ${START_TIMEOUT_MS / 1000} s: ${output()}`, {
          cause: error,
        });
      }
      await sleep(ASK_EVERY_MS);
    }
  }
}

/** What a process writes is read here (`piped`), or goes to the standard error of this process; then it can send messages (`logged`). */
type Output = 'piped' | 'logged';

/**
 * Starts a process that ends with this one, however that dies. It has its own process group: Ctrl-C reaches only this process, which stops the
 * servers once nothing uses them any more.
 */
export function spawnGuarded(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  output: Output = 'piped',
): ChildProcess {
  const child = spawn('/bin/sh', ['-c', GUARDED_COMMAND, 'sh', command, ...args], {
    detached: true,
    stdio: output === 'piped' ? ['ignore', 'pipe', 'pipe', 'pipe'] : ['ignore', 2, 2, 'pipe', 'ipc'],
    // messages may contain bytes
    serialization: 'advanced',
    env: environment,
  });
  child.once('exit', () => {
    const guard = child.stdio[3];
    if (guard instanceof Writable) guard.on('error', () => undefined).end('gone\n');
  });
  return child;
}

/** Reads all that a child writes, so that it never blocks, and returns the beginning (a reason) and the end. */
function lastOutput(child: ChildProcess): () => string {
  let first = '';
  let kept = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8');
    stream?.on('data', (part: string) => {
      first = (first + part).slice(0, FIRST_OUTPUT_KEPT);
      kept = (kept + part).slice(-OUTPUT_KEPT);
    });
  }
  return () => (kept.startsWith(first) ? kept : `${first} … ${kept}`).trim() || 'no output';
}

/** Ends a process, by force after `timeoutMs`, and waits until it has ended. */
export async function end(
  child: ChildProcess,
  signal: 'SIGTERM' | 'SIGKILL',
  timeoutMs = STOP_TIMEOUT_MS,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await ended;
  clearTimeout(force);
}

/** Where a program lies on PATH, or null. */
export function findOnPath(program: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    if (folder !== '' && isExecutable(path)) return path;
  }
  return null;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program to its end; it ends when this process ends.
 * @throws with its last output when it fails, or takes longer than `timeoutMs`.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; environment?: Record<string, string> },
): Promise<void> {
  const child = spawnGuarded(command, args, { ...process.env, ...options.environment });
  const output = lastOutput(child);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(tooLong);
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ''} failed (${signal ?? code}): ${output()}`);
}
