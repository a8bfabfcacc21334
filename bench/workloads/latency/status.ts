import { setTimeout as sleep } from 'node:timers/promises';
import { msOf } from '../../../testkit/measure.ts';
import type { Figure } from '../../figures/figures.ts';
import type { MeasuredInstallation, MeasuredOptions } from '../../installation/measured-installation.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { percentiles, underLoad } from './latency.ts';

/** Time of a status query while ten batches of 1000 run, by which processes there are. */
export const statusLatency: Benchmark = {
  name: 'status',
  about:
    'time of a status query, idle and while ten batches of 1000 run: from one worker, from two that share the work by kind, and from the processes of npm start',
  run: async (bench) => [
    ...(await statusFigures(bench, '', {})),
    ...(await statusFigures(bench, 'apart, ', { layout: 'apart' })),
    ...(await statusFigures(bench, 'npm start, ', { layout: 'npm start' })),
  ],
};

function statusFigures(bench: Bench, prefix: string, options: MeasuredOptions): Promise<Figure[]> {
  return bench.withInstallation(async (drover) => {
    await underLoad(bench, drover, (ids, tenant) => queries(drover, ids, tenant));
    return bench.inRounds(async () => {
      const waiting = await drover.newTenant();
      const id = await drover.upload(
        [{ id: 'waits', name: 'One who waits', region: 'never' }],
        waiting,
        '?dependencyWaitTimeout=86400',
      );
      await drover.waiting([id]);
      const idle = await queries(drover, [id], waiting);
      await drover.clientOf(waiting).batches.cancel(id);
      await drover.ended([id], true);
      const loaded = await underLoad(bench, drover, (ids, tenant) => queries(drover, ids, tenant));
      return [...percentiles(`${prefix}idle`, idle), ...percentiles(`${prefix}under load`, loaded, 100)];
    });
  }, options);
}

/** 100 queries, one after the other, of some batches alternately. */
async function queries(drover: MeasuredInstallation, ids: readonly string[], tenant: string): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < 100; n++) {
    times.push(await msOf(() => drover.view(ids[n % ids.length] ?? '', tenant)));
    await sleep(10);
  }
  return times;
}
