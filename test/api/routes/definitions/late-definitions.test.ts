import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RunningWorker, startWorker } from '../../../../worker/worker.ts';
import { OwnApi } from '../../own-api.ts';

let api: OwnApi;
let worker: RunningWorker;
beforeAll(async () => {
  api = await OwnApi.open();
  worker = await startWorker(api.services.config, pino({ level: 'silent' }));
});
afterAll(async () => {
  await worker.stop();
  await api.close();
});

async function upload(schema: string, resources: object[], query = ''): Promise<string> {
  const { status, body } = await api.send('POST', `/api/resources/${schema}/batch${query}`, { resources });
  expect(status).toBe(202);
  return body.data.batchId;
}

const PATIENCE = { timeout: 30_000, interval: 50 };

const until = (batchId: string, ...statuses: string[]): Promise<{ status: string; counts: object; errors?: object }> =>
  vi.waitFor(async () => {
    const { body } = await api.send('GET', `/api/batches/${batchId}`);
    expect(statuses).toContain(body.data.status);
    return body.data;
  }, PATIENCE);
const ENDED = ['success', 'partial_success', 'failed', 'cancelled'];

describe('a reference to a schema definition that does not exist', () => {
  it('is a missing dependency, until the definition and the resource appear', async () => {
    await api.define('ship', { port: { $ref: 'reach:schemas/Harbour' } });
    const impatient = await upload('ship', [{ externalId: 'a', port: 'P' }]);
    expect(await until(impatient, ...ENDED)).toMatchObject({
      status: 'failed',
      errors: { summary: { missing_dependency: 1 } },
    });
    const patient = await upload('ship', [{ externalId: 'a', port: 'P' }], '?dependencyWaitTimeout=60');
    await until(patient, 'waiting');
    await api.define('harbour');
    expect((await until(patient, 'waiting', ...ENDED)).status).toBe('waiting');
    await until(await upload('harbour', [{ externalId: 'P' }]), ...ENDED);
    expect(await until(patient, ...ENDED)).toMatchObject({ status: 'success' });
  });
});

describe('a batch under a definition that changes', () => {
  it('stores nothing that the new version does not allow, whether the batch or the change comes first', async () => {
    for (let round = 0; round < 10; round++) {
      const name = `moving${round}`;
      await api.define(name, { n: {} });
      const resources = Array.from({ length: 40 }, (_, i) => ({ externalId: `${i}`, n: i % 2 ? 'odd' : i }));
      const batch = await upload(name, resources);
      const strict = { schema: { type: 'object', properties: { n: { type: 'integer' } } } };
      const put = await api.send('PUT', `/partner/schema-definitions/${name}`, strict);
      const { counts } = await until(batch, ...ENDED);
      const stored = await api.send('GET', `/api/resources/${name}?limit=100`);
      const odd = stored.body.data.results.filter((resource: { data: { n: unknown } }) => resource.data.n === 'odd');
      expect([200, 409, 503]).toContain(put.status);
      if (put.status === 200) expect(odd).toEqual([]);
      else expect(counts).toMatchObject({ succeeded: 40 });
    }
  });
});
