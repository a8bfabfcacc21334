import { readFileSync } from 'node:fs';

/** A process that is measured: a process of Drover, or a server that was started for a run. */
export interface MeasuredProcess {
  readonly pid: number | null;
}

/** Ticks in a second, the unit in which Linux counts CPU time. */
const TICKS_PER_SECOND = 100;

/** CPU time that a process has used, in ms, threads included. @throws if it does not run. */
export function cpuMsOf(measured: MeasuredProcess): number {
  const stat = procFile(measured, 'stat');
  // the name in parentheses may hold spaces
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Memory that a process holds, in MB. @throws if it does not run. */
export function residentMb(measured: MeasuredProcess): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(procFile(measured, 'status')) ?? [];
  return Number(kb) / 1024;
}

function procFile({ pid }: MeasuredProcess, name: string): string {
  if (pid === null) throw new Error('a process that is measured has ended');
  return readFileSync(`/proc/${pid}/${name}`, 'utf8');
}

/**
 * CPU time that `run` takes in this process, in ms: other work on the machine does not count.
 * @internal exported for tests
 */
export function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  return cpuMsSince(before);
}

/** @returns what `run` returns, and how long it took by the clock, in ms. */
export async function timed<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const started = performance.now();
  const result = await run();
  return { result, ms: performance.now() - started };
}

/** How long `run` takes by the clock, in ms. */
export const msOf = async (run: () => Promise<unknown>): Promise<number> => (await timed(run)).ms;

/**
 * As `timed`, but the lesser of the time by the clock and the CPU time of this process: neither other work on the machine
 * nor other work of this process counts.
 * @internal exported for tests
 */
export async function leastMs<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const before = process.cpuUsage();
  const { result, ms } = await timed(run);
  return { result, ms: Math.min(ms, cpuMsSince(before)) };
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: percentile(sorted, 0.5), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** A quantile: the value that the given share of all values do not exceed, interpolated between two values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}
