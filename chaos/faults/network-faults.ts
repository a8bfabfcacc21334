import { setTimeout as sleep } from 'node:timers/promises';
import type { Aim, NetworkFault, TcpProxy } from '../../testkit/proxy.ts';
import type { Random } from '../workload/random.ts';

/** How often each fault is chosen. */
export type NetworkWeights = Readonly<Partial<Record<NetworkFault, number>>>;
export const EVERY_FAULT: NetworkWeights = {
  dropAnswer: 5,
  delayRequest: 3,
  delayAnswer: 3,
  landLate: 2,
  cut: 2,
  refuse: 0.4,
};

/** A fault for every request of a kind, with a probability. */
export interface StandingFault {
  /** Name of the proxy. */
  readonly proxy: string;
  readonly aim: Aim;
  readonly probability: number;
}

/** Longest delay in ms: some are longer than a command waits for its answer. */
const MAX_DELAY_MS = 3_000;
const MAX_REFUSAL_MS = 2_000;

/** Whose requests may arrive late: all others send a request again, or report that its result is unknown. */
const LANDS_LATE = 'workers to MongoDB';
/** Longer than a command of a worker waits for its answer, in ms. */
const LATE_MS = { from: 2_500, to: 20_000 };

/** The MongoDB commands that matter most to the invariants: half of the faults wait for one of these. */
const CRITICAL_COMMANDS: readonly (readonly string[])[] = [
  ['insert', 'batches'],
  ['insert', 'commits'],
  ['insert', 'deletion_steps'],
  ['insert', 'idempotency_keys'],
  ['insert', 'intents'],
  ['insert', 'item_pages'],
  ['insert', 'resources'],
  ['update', 'batches'],
  ['update', 'outcome_pages'],
  ['update', 'pending_items'],
  ['update', 'resources'],
  ['update', 'waits'],
  ['delete', 'intents'],
  ['delete', 'resources'],
];

/** Arms faults of one proxy at random times, `meanMs` apart on average, until `stopped`. */
export async function disturb(
  proxy: TcpProxy,
  random: Random,
  { meanMs, weights, standing }: { meanMs: number; weights: NetworkWeights; standing: readonly StandingFault[] },
  stopped: AbortSignal,
): Promise<void> {
  for (const { proxy: name, aim, probability } of standing)
    if (name === proxy.name) proxy.armForGood(aim, () => random.chance(probability));
  while (!stopped.aborted) {
    await sleep(random.exponential(meanMs), undefined, { signal: stopped }).catch(() => undefined);
    if (stopped.aborted) break;
    const fault = random.weighted(weights);
    if (fault === 'refuse') proxy.refuse(random.integer(200, MAX_REFUSAL_MS));
    else if (fault === 'landLate') {
      const { from, to } = LATE_MS;
      if (proxy.name === LANDS_LATE)
        proxy.arm({ fault, ms: random.integer(from, to), texts: random.pick(CRITICAL_COMMANDS) });
    } else {
      const texts = proxy.name.endsWith('MongoDB') && random.chance(0.5) ? random.pick(CRITICAL_COMMANDS) : [];
      // short delays mostly: they reorder what runs side by side
      proxy.arm({ fault, ms: Math.min(random.exponential(300), MAX_DELAY_MS), texts });
    }
  }
  await proxy.pass();
}
