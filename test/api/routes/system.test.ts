import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { bearer, signed, TOKEN_ENVIRONMENT } from '../../harness/tokens.ts';

const UI = 'https://temporal.test/ui';
let drover: Drover;

beforeAll(async () => {
  drover = await Drover.start({ environment: { ...TOKEN_ENVIRONMENT, TEMPORAL_UI_URL: UI } });
});
afterAll(() => drover.stop());

const platform = async () => bearer(await signed({ scope: 'platform', platform: 'acme' }));
const tenant = async () => bearer(await signed({ scope: 'tenant', platform: 'acme', tenant: 'north' }));

test('a session says who the token is, and leads only the platform to the Temporal UI', async () => {
  const { body } = await drover.request('GET', '/api/session', { headers: await platform(), tenant: 'south' });
  expect(body.data).toEqual({
    scope: 'platform',
    platform: 'acme',
    tenant: 'south',
    requiresToken: true,
    temporal: { uiUrl: UI, namespace: drover.config.TEMPORAL_NAMESPACE },
  });
  const ofTenant = await drover.request('GET', '/api/session', { headers: await tenant() });
  expect(ofTenant.body.data).toEqual({ scope: 'tenant', platform: 'acme', tenant: 'north', requiresToken: true });
  expect((await drover.request('GET', '/api/session')).status).toBe(401);
});

interface System {
  readonly mongodb: string;
  readonly temporal: string;
  readonly missing: string[];
  readonly taskQueues: { name: string; tasks: string; workers: { identity: string | null }[]; backlog: number }[];
}

test('the system shows the workers of each task queue and what waits; a tenant sees how many, not where', async () => {
  const read = async (headers: Record<string, string>): Promise<System> =>
    (await drover.request<System>('GET', '/api/system', { headers })).body.data;
  const headers = await platform();
  await expect.poll(async () => (await read(headers)).taskQueues.every(({ workers }) => workers.length > 0)).toBe(true);
  const system = await read(headers);
  const queue = drover.config.TEMPORAL_TASK_QUEUE;
  expect(system).toMatchObject({ mongodb: 'ok', temporal: 'ok', missing: [] });
  expect(system.taskQueues.map(({ name, tasks }) => [name, tasks])).toEqual([
    [queue, 'workflows'],
    [queue, 'activities'],
    [`${queue}-terminations`, 'activities'],
  ]);
  expect(system.taskQueues.every(({ backlog }) => backlog === 0)).toBe(true);
  expect(system.taskQueues[0]?.workers[0]?.identity).toMatch(/^\d+@/);
  const ofTenant = await read(await tenant());
  expect(ofTenant.taskQueues.map(({ workers }) => workers.length)).toEqual([1, 1, 1]);
  expect(ofTenant.taskQueues.flatMap(({ workers }) => workers.map(({ identity }) => identity))).toEqual([
    null,
    null,
    null,
  ]);
});

interface Throughput {
  readonly minutes: { at: string; batches: number; items: number; unsuccessful: number }[];
}

test('the throughput of the last hour counts the finished batches of the tenant, and of no other', async () => {
  const headers = await platform();
  const read = async (tenant: string): Promise<[number, number, number]> => {
    const { minutes } = (await drover.request<Throughput>('GET', '/api/throughput', { headers, tenant })).body.data;
    const sum = (of: 'batches' | 'items' | 'unsuccessful') => minutes.reduce((all, minute) => all + minute[of], 0);
    expect(minutes).toHaveLength(60);
    return [sum('batches'), sum('items'), sum('unsuccessful')];
  };
  await drover.client({ headers }).schemaDefinitions.create({ name: 'thing', schema: { type: 'object' } });
  const sent = [{ externalId: 'a' }, { externalId: 'b' }, { externalId: 'c', unknown: 1 }];
  const batchId = await drover.upload('thing', sent, {}, { headers, tenant: 'busy' });
  await drover.ended(batchId, { headers, tenant: 'busy' });
  expect(await read('busy')).toEqual([1, 3, 1]);
  expect(await read('idle')).toEqual([0, 0, 0]);
});
