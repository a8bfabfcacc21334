import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Services } from '../../api/http/context.ts';
import { openServices } from '../../api/server.ts';
import { loadConfig } from '../../process/config.ts';

/** A busy process or machine does not count as an outage of MongoDB or Temporal. */

let services: Services & { close(): Promise<void> };
beforeAll(async () => {
  const config = loadConfig({ MONGODB_URI: inject('mongodbUri'), TEMPORAL_ADDRESS: inject('temporalAddress') });
  services = await openServices(config, pino({ level: 'silent' }));
  await services.health.assertTemporal();
  // a driver that connects for the first time fails if this process is busy for longer than the driver's timeout
  await services.database.ping();
});
afterAll(() => services.close());

/** Blocks this process for a time, as a computation would. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('an answer that arrived while this process was busy counts, however late the process reads it', async () => {
  const checks = [services.health.isAnswering('temporal'), services.health.isAnswering('mongodb')];
  // the checks of both servers are under way
  await new Promise(setImmediate);
  block(3_700);
  expect(await Promise.all(checks)).toEqual([true, true]);
  // a result that is a second old is checked again
  await services.health.assertTemporal();
});
