import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../../../testkit/measure.ts';
import { customers } from '../../data/customers.ts';
import type { Figure } from '../../figures/figures.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Bench } from '../../run/bench.ts';

/** Batches that are under way while latency under load is measured. */
const LOAD = 10;

/** @param p95AtMost what the 95th is to reach, in ms. */
export function percentiles(name: string, times: readonly number[], p95AtMost?: number): Figure[] {
  return [50, 95, 99].map((share) => ({
    name: `${name} p${share}`,
    unit: 'ms',
    values: [percentile(times, share / 100)],
    ...(share === 95 && p95AtMost !== undefined && { target: { atMost: p95AtMost } }),
  }));
}

/** Keeps ten batches under way during a measurement, which receives some of their ids. */
export async function underLoad<T>(
  bench: Bench,
  drover: MeasuredInstallation,
  measure: (ids: string[], tenant: string) => Promise<T>,
): Promise<T> {
  const tenant = await drover.newTenant();
  const size = bench.size(1000);
  const ids: string[] = [];
  let isOver = false;
  const clients = Array.from({ length: LOAD }, async (_, client) => {
    for (let revision = 0; !isOver; revision++) {
      const id = await drover.upload(customers(client * size, size, revision), tenant);
      ids[client] = id;
      await drover.ended([id]);
    }
  });
  while (ids.filter(Boolean).length < LOAD) await sleep(5);
  const result = await measure(ids, tenant);
  isOver = true;
  await Promise.all(clients);
  return result;
}
