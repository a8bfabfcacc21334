import { readFileSync } from 'node:fs';
import { startServer } from '../../dev/processes.ts';

/** A Node process that is measured; it ends with this one, however that dies. */
export interface MeasuredProcess {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface NodeCommand {
  readonly name: string;
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  /** For Node itself, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
  /** Resolves when the process is ready; asked again until it does. */
  readonly isReady: () => Promise<void>;
}

export async function startNode({
  name,
  script,
  environment,
  nodeOptions = [],
  isReady,
}: NodeCommand): Promise<MeasuredProcess> {
  const assignments = Object.entries(environment).map(([variable, value]) => `${variable}=${value}`);
  const started = await startServer({
    name,
    // becomes Node, so that the pid is that of Node
    command: 'env',
    args: [...assignments, process.execPath, ...nodeOptions, script],
    answers: isReady,
  });
  const { pid } = started;
  if (pid === null) throw new Error(`${name} has ended at its start`);
  return { pid, stop: () => started.stop() };
}

/** Ticks of a second in which Linux counts CPU time. */
const TICKS_PER_SECOND = 100;

/** CPU time that a process has used, in ms, threads included. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the name in parentheses may hold spaces
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Memory that a process holds, in MB. */
export function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1024;
}
