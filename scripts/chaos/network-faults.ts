import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultyProxy, NETWORK_FAULTS, type NetworkFault } from './proxy.ts';
import type { Random } from './random.ts';

/** How often each fault is chosen. */
const WEIGHTS: Readonly<Record<NetworkFault, number>> = { dropAnswer: 5, delayRequest: 3, delayAnswer: 3, cut: 2, refuse: 0.4 };
/** Longest delay in ms: some are longer than a command waits for its answer. */
const MAX_DELAY_MS = 3_000;
const MAX_REFUSAL_MS = 2_000;

/** Gives one proxy a fault every now and then, `meanMs` apart, until told to stop. */
export async function disturb(proxy: FaultyProxy, random: Random, meanMs: number, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await sleep(random.exponential(meanMs), undefined, { signal: stopped }).catch(() => undefined);
    if (stopped.aborted) break;
    const fault = random.weighted(WEIGHTS);
    // short ones mostly: they reorder what runs side by side
    proxy.arm(fault, fault === 'refuse' ? random.integer(200, MAX_REFUSAL_MS) : Math.min(random.exponential(300), MAX_DELAY_MS));
  }
  proxy.calm();
}

/** Faults of some proxies together. */
export function countFaults(proxies: readonly FaultyProxy[]): Record<NetworkFault, number> {
  const sums = Object.fromEntries(NETWORK_FAULTS.map((fault) => [fault, 0])) as Record<NetworkFault, number>;
  for (const { counts } of proxies) for (const fault of NETWORK_FAULTS) sums[fault] += counts[fault];
  return sums;
}
