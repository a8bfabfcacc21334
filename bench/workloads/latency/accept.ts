import { setTimeout as sleep } from 'node:timers/promises';
import { msOf, percentile, timed } from '../../../testkit/measure.ts';
import { customers } from '../../data/customers.ts';
import { type Figure, ratio } from '../../figures/figures.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';
import { timeOfInserts, timesOfStart } from './accept-parts.ts';
import { percentiles, underLoad } from './latency.ts';

/** Time from the request to the 202 for 1000 resources, beside the inserts that it must do. */
export const acceptLatency: Benchmark = {
  name: 'accept',
  about: 'time to the 202 for a batch of 1000 resources, idle and while ten other batches run',
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      const size = bench.size(1000);
      await accepts(drover, await drover.newTenant(), 5, size);
      const figures = await bench.inRounds(async (round): Promise<Figure[]> => {
        const tenant = await drover.newTenant();
        const times = await accepts(drover, tenant, 20, size);
        const inserts = await timeOfInserts(drover.database, size, 20, `round-${round}`);
        const refused = await refusals(drover, tenant, 20, size);
        const starts = await timesOfStart(drover.client, size, 20);
        const loaded = await underLoad(bench, drover, () => accepts(drover, tenant, 10, size, 100));
        return [
          ...percentiles('idle', times),
          {
            name: 'the two bulk inserts, p50',
            unit: 'ms',
            values: [percentile(inserts.pages, 0.5)],
            note: 'pages of items and the batch, as stored',
          },
          {
            name: 'one document an item, p50',
            unit: 'ms',
            values: [percentile(inserts.documents, 0.5)],
            note: 'the same by 1000 documents and the batch',
          },
          {
            name: 'the request alone, p50',
            unit: 'ms',
            values: [percentile(refused, 0.5)],
            note: 'read, parsed, checked, and refused for its schema',
          },
          {
            name: 'the start of a workflow, p50',
            unit: 'ms',
            values: [percentile(starts, 0.5)],
            note: 'by a process that does nothing else',
          },
          ...percentiles('under load', loaded),
        ];
      });
      const named = (name: string): Figure => figures.find((figure) => figure.name === name) as Figure;
      return [
        ...figures,
        ratio('accept by the two inserts', named('idle p50'), named('the two bulk inserts, p50'), {
          target: { atMost: 1.5 },
        }),
        ratio('accept by one document an item', named('idle p50'), named('one document an item, p50')),
      ];
    }),
};

/** The same request for a schema that is not there: all of it but what is stored and started. */
async function refusals(drover: MeasuredInstallation, tenant: string, count: number, size: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const body = JSON.stringify({ resources: customers(0, size, n) });
    times.push(
      await msOf(async () => {
        const answer = await drover.start('POST', 'nothing', body, tenant).catch((error: Error) => error.message);
        if (!answer.includes(' 404 ')) throw new Error(`a schema that is not there was answered with ${answer}`);
      }),
    );
  }
  return times;
}

async function accepts(
  drover: MeasuredInstallation,
  tenant: string,
  count: number,
  size: number,
  pauseMs = 0,
): Promise<number[]> {
  const times: number[] = [];
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const body = JSON.stringify({ resources: customers(0, size, n) });
    const { result: id, ms } = await timed(() => drover.start('POST', 'customer', body, tenant));
    times.push(ms);
    // idle: each batch has finished before the next one starts
    if (pauseMs === 0) await drover.ended([id]);
    else await sleep(pauseMs);
    ids.push(id);
  }
  await drover.ended(ids);
  return times;
}
