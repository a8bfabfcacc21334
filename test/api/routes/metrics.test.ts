import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { bearer, signed, TOKEN_ENVIRONMENT } from '../../harness/tokens.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
  await drover.define('thing', {});
});
afterAll(() => drover.stop());

async function metrics(of: Drover = drover): Promise<string> {
  const answer = await of.app.request('/metrics');
  expect(answer.status).toBe(200);
  return answer.text();
}

/** The value of one line. */
async function reading(line: string): Promise<number> {
  const found = (await metrics()).split('\n').find((each) => each.startsWith(`${line} `));
  return Number(found?.split(' ')[1] ?? 0);
}

test('requests are counted by route, not by path', async () => {
  for (const id of ['qq1', 'qq2', 'qq3']) await drover.request('GET', `/api/batches/${id}`);
  expect(await reading('drover_http_requests_total{method="GET",route="/api/batches/:batchId",status="404"}')).toBe(3);
  await drover.app.request('/healthz');
  expect(await reading('drover_http_requests_total{method="GET",route="/healthz",status="200"}')).toBe(1);
  await drover.request('GET', '/engine-rest/process-instance/count');
  expect(await metrics()).toContain('route="/engine-rest/process-instance/count"');
  await drover.request('GET', '/made/up');
  await drover.request('BREW', '/coffee');
  const text = await metrics();
  expect(text).toContain('drover_http_requests_total{method="GET",route="none",status="404"} 1');
  expect(text).toContain('drover_http_requests_total{method="other",route="none",status="404"} 1');
  expect(text).not.toMatch(/qq|made|coffee|BREW/);
});

test('accepted batches and their items are counted by operation', async () => {
  await drover.upload('thing', [{ externalId: 'a' }, { externalId: 'b' }]);
  await drover.upload('thing', [{ externalId: 'c' }]);
  await drover.delete('thing', { externalIds: ['x', 'y', 'z'] });
  expect(await reading('drover_batches_accepted_total{operation="upload"}')).toBe(2);
  expect(await reading('drover_items_accepted_total{operation="upload"}')).toBe(3);
  expect(await reading('drover_items_accepted_total{operation="delete"}')).toBe(3);
});

test('tenants and schema definitions are not used as labels', async () => {
  await drover.define('peculiar', {});
  await drover.upload('peculiar', [{ externalId: 'a' }], {}, { tenant: 'tenant-of-its-own' });
  expect(await metrics()).not.toMatch(/peculiar|tenant-of-its-own/);
});

test('a server that is unavailable is counted', async () => {
  const withoutTemporal = await Drover.start({ worker: false, environment: { TEMPORAL_ADDRESS: '127.0.0.1:1' } });
  await withoutTemporal.define('thing', {});
  expect(
    (
      await withoutTemporal.request('POST', '/api/resources/thing/batch', {
        body: { resources: [{ externalId: 'a' }] },
      })
    ).status,
  ).toBe(503);
  expect(await metrics(withoutTemporal)).toMatch(/drover_server_unavailable_total\{server="Temporal"\} 1\n/);
  await withoutTemporal.stop();
});

test('requests in flight, bytes of bodies and watched batches are shown', async () => {
  const text = await metrics();
  expect(text).toMatch(/^drover_http_requests_in_flight 1$/m);
  expect(text).toMatch(/^drover_request_body_bytes 0$/m);
  expect(text).toMatch(/^drover_watched_batches 0$/m);
});

test('metrics require no token unless one is configured for them', async () => {
  const closed = await Drover.start({ worker: false, environment: { ...TOKEN_ENVIRONMENT, METRICS_TOKEN: 'scrape' } });
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await closed.app.request('/metrics', { headers })).status;
  expect(await status({})).toBe(401);
  expect(await status(bearer('wrong'))).toBe(401);
  expect(await status(bearer(await signed({ platform: 'p', scope: 'platform' })))).toBe(401);
  expect(await status(bearer('scrape'))).toBe(200);
  await closed.stop();
});
