import { cpuMsOf, type MeasuredProcess } from '../../../testkit/measure.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Bench } from '../../run/bench.ts';

/** Processes by what they are for. */
export type Processes = Readonly<Record<string, readonly MeasuredProcess[]>>;

/** What serves a batch. A server that was not started here cannot be measured, and is left out. */
export function processesOf(bench: Bench, drover: MeasuredInstallation): Processes {
  return { worker: drover.workers, API: [drover.api], ...serversOf(bench) };
}

export function serversOf({ servers: { mongo, temporal } }: Bench): Processes {
  return { ...(mongo && { MongoDB: [mongo] }), ...(temporal && { Temporal: [temporal] }) };
}

/** CPU time that they use meanwhile, in ms, by what they are for. */
export async function cpuOf<T>(
  processes: Processes,
  run: () => Promise<T>,
): Promise<{ result: T; used: ReadonlyMap<string, number>; total: number }> {
  const now = () =>
    new Map(Object.entries(processes).map(([name, some]) => [name, some.reduce((sum, one) => sum + cpuMsOf(one), 0)]));
  const before = now();
  const result = await run();
  const used = new Map([...now()].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)]));
  return { result, used, total: [...used.values()].reduce((sum, ms) => sum + ms, 0) };
}
