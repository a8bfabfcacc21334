import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '../../embedded/ports.ts';
import { loadConfig } from '../../process/config.ts';
import { Drover } from '../harness/drover.ts';

let drover: Drover;
let address: string;
const create = vi.spyOn(Worker, 'create');
beforeAll(async () => {
  address = `127.0.0.1:${await freePort()}`;
  drover = await Drover.start({ environment: { WORKER_METRICS_ADDRESS: address } });
  await drover.define('thing', { n: { type: 'number' } });
});
afterAll(() => drover.stop());

test('a call into a workflow may take a minute, as one that is ended may end the process', async () => {
  const [created] = create.mock.results;
  expect((await created?.value)?.options.isolateExecutionTimeoutMs).toBe(60_000);
});

test('a worker counts outcomes of items and durations of activities, without naming tenants', async () => {
  const id = await drover.upload(
    'thing',
    [
      { externalId: 'a', n: 1 },
      { externalId: 'b', n: 2 },
      { externalId: 'c', n: 'x' },
    ],
    {},
    { tenant: 'peculiar' },
  );
  await drover.ended(id, { tenant: 'peculiar' });
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const items = text
    .split('\n')
    .filter((line) => line.startsWith('drover_items') || line.startsWith('temporal_drover_items'));
  expect(items.find((line) => line.includes('status="succeeded"'))).toMatch(/ 2$/);
  expect(items.find((line) => line.includes('status="failed"'))).toMatch(/ 1$/);
  // a small batch is one local activity
  expect(text).toContain('temporal_local_activity_execution_latency');
  expect(text).not.toContain('peculiar');
});

test.each(['9464', 'localhost:9464', '127.0.0.1', 'http://127.0.0.1:9464'])(
  'an invalid address stops the process: %s',
  (wrong) => {
    expect(() => loadConfig({ WORKER_METRICS_ADDRESS: wrong })).toThrow(/^WORKER_METRICS_ADDRESS: must be/);
  },
);
