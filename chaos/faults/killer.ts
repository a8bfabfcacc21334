import { setTimeout as sleep } from 'node:timers/promises';
import type { Supervised } from '../installation/supervised.ts';
import type { Random } from '../workload/random.ts';

export interface Victim {
  readonly process: Supervised;
  readonly weight: number;
}

/** Longest time that a killed process stays down, in ms. */
const MAX_DOWN_MS = 1_000;
/** How often the next one is killed while others are still down: a slow machine would know no other state. */
const OVERLAP = 0.3;
const POLL_MS = 100;

/**
 * Kills (-9) a process of the installation at random times, `meanMs` apart on average, until `stopped`: each one once, then by weight.
 * Several may be down at a time.
 */
export async function killAtRandom(
  victims: readonly Victim[],
  random: Random,
  meanMs: number,
  stopped: AbortSignal,
): Promise<void> {
  const weights = Object.fromEntries(victims.map((victim, at) => [String(at), victim.weight]));
  const first = random.shuffled(victims);
  const running: Promise<void>[] = [];
  while (!stopped.aborted) {
    await sleep(random.exponential(meanMs), undefined, { signal: stopped }).catch(() => undefined);
    if (first.length === 0 && !random.chance(OVERLAP)) await allUp(victims, stopped);
    if (stopped.aborted) break;
    const victim = first.shift() ?? victims[Number(random.weighted(weights))];
    if (victim === undefined) continue;
    if (victim.process.isUp) running.push(victim.process.kill(random.integer(0, MAX_DOWN_MS)));
    else first.push(victim);
  }
  await Promise.all(running);
}

async function allUp(victims: readonly Victim[], stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted && victims.some(({ process }) => !process.isUp)) await sleep(POLL_MS);
}

/** Longest pause of a process, in ms. */
const MAX_PAUSE_MS = 60_000;

/** Pauses one process at a time (SIGSTOP) at random times, `meanMs` apart on average, until `stopped`; then all continue. */
export async function pauseAtRandom(
  victims: readonly Victim[],
  random: Random,
  meanMs: number,
  stopped: AbortSignal,
): Promise<void> {
  while (!stopped.aborted) {
    await sleep(random.exponential(meanMs), undefined, { signal: stopped }).catch(() => undefined);
    if (stopped.aborted) return;
    const { process } = random.pick(victims);
    // short ones mostly: during a long one the other processes have nothing to do
    await process.pause(Math.min(random.exponential(8_000), MAX_PAUSE_MS), stopped);
  }
}
