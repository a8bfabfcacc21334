import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { batchesIn } from '../../../store/batches/batches.ts';
import { TcpProxy } from '../../../testkit/proxy.ts';
import { Drover } from '../../harness/drover.ts';
import { everyRoute, type Route, urlOf } from '../every-route.ts';

/** A caller gets its 503 within 5 s. */
const LIMIT_MS = 5_000;

let mongodb: TcpProxy;
let temporal: TcpProxy;
let drover: Drover;
let routes: Route[];
let parameters: Record<string, string>;

beforeAll(async () => {
  mongodb = await TcpProxy.start({ to: inject('mongodbUri') });
  temporal = await TcpProxy.start({ to: inject('temporalAddress') });
  drover = await Drover.start({
    worker: false,
    environment: {
      MONGODB_URI: mongodb.address,
      TEMPORAL_ADDRESS: temporal.address,
    },
  });
  routes = await everyRoute(drover.app);
  await drover.define('thing', {});
  await drover.define('unused', {});
  const batchId = await drover.upload('thing', [{ externalId: 'x' }]);
  parameters = {
    batchId,
    externalId: 'x',
    schemaDefinitionNameOrId: 'thing',
    nameOrId: 'unused',
    instanceId: `batch-${batchId}`,
  };
});
afterEach(async () => {
  await mongodb.pass();
  await temporal.pass();
  await expect.poll(async () => (await ask('GET', '/readyz')).status, { timeout: 15_000 }).toBe(200);
});
afterAll(async () => {
  await drover.stop();
  await mongodb.stop();
  await temporal.stop();
});

interface DeliveryState {
  readonly status: number;
  readonly ms: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

async function ask(method: string, path: string, body?: unknown): Promise<DeliveryState> {
  const started = performance.now();
  const response = await drover.app.request(path, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const ms = performance.now() - started;
  // an event stream has no end
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream) await response.body?.cancel();
  return {
    status: response.status,
    ms,
    retryAfter: response.headers.get('retry-after'),
    text: isStream ? '' : await response.text(),
  };
}

function bodyFor({ method, path }: Route): unknown {
  if (path.startsWith('/api/v1/')) return { classificationId: 'thing', batchId: parameters.batchId };
  if (path === '/api/webhooks' && method === 'POST') return { url: 'https://example.com', events: ['batch.completed'] };
  if (path.startsWith('/api/webhooks/') && method === 'PATCH') return { description: 'x' };
  // of no batch
  if (/^\/api\/batches\/[a-z]+$/.test(path)) return { filter: { label: 'none' } };
  if (path.endsWith('/suspended')) return { suspended: false };
  if (path.endsWith('/seal')) return { parts: 1 };
  if (path.endsWith('/retries')) return { retries: 1 };
  if (path.endsWith('/process-instance/delete')) return { processInstanceIds: ['nobody'] };
  if (path.includes('/process-instance') && method === 'POST') return {};
  if (path.startsWith('/partner/') && method === 'POST')
    return { name: `n${Math.random().toString(36).slice(2)}`, schema: { type: 'object' } };
  if (path.startsWith('/partner/') && method === 'PUT') return { schema: { type: 'object' } };
  if (path.endsWith('/batch/delete') || (path.endsWith('/batch') && method === 'DELETE')) return { externalIds: ['x'] };
  if (path.endsWith('/batch') && (method === 'POST' || method === 'PATCH')) return { resources: [{ externalId: 'x' }] };
  return undefined;
}

const askRoute = (route: Route): Promise<DeliveryState> => ask(route.method, urlOf(route, parameters), bodyFor(route));

const startsImport = ({ method, path }: Route): boolean => path === '/api/imports' && method === 'POST';

/** Whether a route is affected by an outage of each server. */
function isAffected(route: Route, server: 'mongodb' | 'temporal'): boolean {
  const { path } = route;
  if (path.startsWith('/engine-rest/version') || path.startsWith('/engine-rest/engine')) return false;
  // a session needs no server, and the system says that Temporal is away
  if (path === '/api/session') return false;
  if (path === '/api/system') return server === 'mongodb';
  if (path === '/partner/installation') return true;
  const isAboutInstances = path.includes('/process-instance');
  if (server === 'mongodb') return !isAboutInstances || path.endsWith('/delete');
  if (isAboutInstances) return true;
  // a control request is stored, and takes effect (see control-without-temporal.test.ts)
  return (/\/batch(\/delete)?$/.test(path) && path.startsWith('/api/resources')) || startsImport(route);
}

function expectUnavailable(route: Route, answer: DeliveryState): void {
  // Extracta's API has no 503
  const status = route.path.startsWith('/api/v1/') ? 500 : 503;
  expect([route, answer.status, answer.retryAfter]).toEqual([route, status, '5']);
  expect(answer.text).not.toMatch(/\bat .*\.ts:|node_modules|ECONNREFUSED|127\.0\.0\.1/);
}

describe.each<['mongodb' | 'temporal', 'refuse' | 'hang']>([
  ['mongodb', 'refuse'],
  ['mongodb', 'hang'],
  ['temporal', 'refuse'],
  ['temporal', 'hang'],
])('%s unavailable (%s)', (server, mode) => {
  test('every kind of request is answered within 5 s, with 503 and Retry-After if it needs that server; then everything continues', async () => {
    (server === 'mongodb' ? mongodb : temporal)[mode]();
    const [health, ready] = await Promise.all([ask('GET', '/healthz'), ask('GET', '/readyz')]);
    expect([health.status, ready.status]).toEqual([200, 503]);
    expect(JSON.parse(ready.text)).toMatchObject({ status: 'unavailable', [server]: 'unreachable' });
    // while MongoDB is available, this route would delete the objects of the others
    const asked = routes.filter((route) => server === 'mongodb' || !deletesTheBatch(route));
    const answers = await Promise.all(asked.map(askRoute));
    for (const [at, route] of asked.entries()) {
      const answer = answers[at] as DeliveryState;
      expect([route, answer.ms < LIMIT_MS ? 'in time' : answer.ms]).toEqual([route, 'in time']);
      if (isAffected(route, server)) expectUnavailable(route, answer);
      else
        expect([route, answer.status, answer.text]).toEqual([
          route,
          expect.toSatisfy((status) => status < 500),
          answer.text,
        ]);
    }
    await (server === 'mongodb' ? mongodb : temporal).pass();
    await expect.poll(async () => (await ask('GET', '/readyz')).status, { timeout: 8_000 }).toBe(200);
    await drover.upload('thing', [{ externalId: 'after' }]);
  });
});

const deletesTheBatch = ({ method, path }: Route): boolean =>
  method === 'DELETE' && (path === '/api/batches/{batchId}' || path.startsWith('/api/v1/'));

test('while Temporal is unavailable a batch is answered from the store', async () => {
  temporal.hang();
  const answer = await ask('GET', `/api/batches/${parameters.batchId}`);
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.text).data.source).toBe('store');
});

test('a batch that is deleted while Temporal is unavailable is a 404 at once', async () => {
  const id = await drover.upload('thing', [{ externalId: 'z' }]);
  temporal.refuse();
  const answer = await ask('DELETE', `/api/batches/${id}`);
  expect([answer.status, answer.ms < LIMIT_MS]).toEqual([200, true]);
  expect((await ask('GET', `/api/batches/${id}`)).status).toBe(404);
});

test('a refused batch leaves nothing behind', async () => {
  const before = await batchesIn(drover.services.database).countDocuments({});
  temporal.refuse();
  expect((await ask('POST', '/api/resources/thing/batch', { resources: [{ externalId: 'y' }] })).status).toBe(503);
  expect(await batchesIn(drover.services.database).countDocuments({})).toBe(before);
});
