import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Services } from '../../api/http/context.ts';
import { openServices } from '../../api/server.ts';
import { loadConfig } from '../../process/config.ts';

/** A process, or a machine, that is busy is not an outage of the servers behind it. */

let services: Services & { close(): Promise<void> };
beforeAll(async () => {
  const config = loadConfig({ MONGODB_URI: inject('mongodbUri'), TEMPORAL_ADDRESS: inject('temporalAddress') });
  services = await openServices(config, pino({ level: 'silent' }));
  await services.health.assertTemporal();
  // a driver that is still connecting for the first time gives up when this process is busy for longer than it waits
  await services.database.ping();
});
afterAll(() => services.close());

/** Does nothing else for a time, as a computation would. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('an answer that has come while this process was busy counts, however late it is heard', async () => {
  const looks = [services.health.isAnswering('temporal'), services.health.isAnswering('mongodb')];
  // the questions are on their way
  await new Promise(setImmediate);
  block(3_700);
  expect(await Promise.all(looks)).toEqual([true, true]);
  // what was seen a second ago is asked anew
  await services.health.assertTemporal();
});
