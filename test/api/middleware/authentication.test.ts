import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { bearer, type Claims, signed, TOKEN_ENVIRONMENT, unsigned } from '../../harness/tokens.ts';
import { createNamespace } from '../camunda/engine/namespace.ts';
import { everyRoute, fill, type Route, urlOf } from '../every-route.ts';

/** A text in everything that the victim stores: an answer to another caller that contains it leaks data. */
const PLANTED = 'planted7f3a';

const PLATFORM: Claims = { platform: 'acme', scope: 'platform' };
const BLUE: Claims = { platform: 'acme', tenant: 'blue', scope: 'tenant' };
const RED: Claims = { platform: 'acme', tenant: 'red', scope: 'tenant' };
const OTHER_PLATFORM: Claims = { platform: 'other', scope: 'platform' };

let drover: Drover;
let routes: Route[];
/** The victim's ids by the names of path parameters. */
let victim: Record<string, string>;
let deletion: string;

beforeAll(async () => {
  // platform scope lists executions: only those of this file are wanted, not those of other files
  const namespace = await createNamespace(inject('temporalAddress'));
  drover = await Drover.start({ environment: { ...TOKEN_ENVIRONMENT, TEMPORAL_NAMESPACE: namespace } });
  routes = await everyRoute(drover.app);
  const schema = { type: 'object', properties: { note: { type: 'string' } } };
  const definition = await send('POST', '/partner/schema-definitions', PLATFORM, {
    body: { name: 'secret-thing', description: PLANTED, schema },
  });
  expect(definition.status).toBe(201);
  const resources = [
    { externalId: 'known', note: PLANTED },
    { externalId: 'bad', note: 7 },
  ];
  const upload = await send('POST', '/api/resources/secret-thing/batch', BLUE, { body: { resources } });
  const { batchId } = upload.json.data;
  const opened = await send('POST', `/api/imports?format=ndjson&schema=secret-thing&label=${PLANTED}`, BLUE);
  const webhook = { url: `https://example.com/${PLANTED}`, events: ['batch.completed'], description: PLANTED };
  const hook = await send('POST', '/api/webhooks', BLUE, { body: webhook });
  const bulk = await send('POST', '/api/batches/suspend', BLUE, { body: { filter: { label: PLANTED } } });
  victim = {
    batchId,
    webhookId: hook.json.data.webhookId,
    bulkOperationId: bulk.json.data.bulkOperationId,
    importId: opened.json.data.importId,
    externalId: 'known',
    schemaDefinitionNameOrId: 'secret-thing',
    nameOrId: definition.json.data.id,
    instanceId: `batch-${batchId}`,
  };
  await drover.ended(batchId, { headers: bearer(await signed(BLUE)) });
  const body = { processInstanceIds: [`${PLANTED}-instance`], deleteReason: PLANTED };
  deletion = (await send('POST', '/engine-rest/process-instance/delete', BLUE, { body })).json.id;
});
afterAll(() => drover.stop());

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
type Answer = { status: number; headers: Headers; text: string; json: any };

async function send(
  method: string,
  path: string,
  who: Claims | string | null,
  { body, headers }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const token = who === null ? null : typeof who === 'string' ? who : await signed(who);
  const response = await drover.app.request(path, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== null && bearer(token)),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : null,
  };
}

const isExtracta = ({ path }: Route): boolean => path.startsWith('/api/v1/');
const isCamunda = ({ path }: Route): boolean => path.startsWith('/engine-rest/');

/** The shape of a route's error answers. */
function expectErrorShape(route: Route, { json, text }: Answer): void {
  expect(text).not.toMatch(/\bat .*\.ts:|node_modules/);
  if (isExtracta(route)) expect(json).toEqual({ status: 'error', message: expect.any(String) });
  else if (isCamunda(route))
    expect(json).toEqual({ type: expect.any(String), message: expect.any(String), code: null });
  else expect(json).toMatchObject({ success: false, message: expect.any(String) });
}

const REFUSED: Record<string, () => string | null | Promise<string>> = {
  'no token': () => null,
  'a wrong signature': () => signed(BLUE, { secret: 'another secret that is long enough' }),
  'an expired token': () => signed({ ...BLUE, expiresIn: -31 }),
  'a token of the future': () => signed({ ...BLUE, validIn: 40 }),
  'alg none': () => unsigned(BLUE),
  'another algorithm with the same secret': () => signed(BLUE, { alg: 'HS512' }),
  'another issuer': () => signed({ ...BLUE, iss: 'https://elsewhere.test' }),
  'another audience': () => signed({ ...BLUE, aud: 'elsewhere' }),
  'no platform': () => signed({ tenant: 'blue', scope: 'tenant' }),
  'no tenant in tenant scope': () => signed({ platform: 'acme', scope: 'tenant' }),
  'no scope': () => signed({ platform: 'acme', tenant: 'blue' }),
  'both scopes': () => signed({ ...BLUE, scope: 'tenant platform' }),
  'a scope that is no text': () => signed({ ...BLUE, scope: ['platform'] }),
  'half a character in a name': () => signed({ ...BLUE, tenant: 'x\ud800' }),
  'a text that is no token': () => 'abc.def.ghi',
};

describe.each(Object.entries(REFUSED))('%s', (_, token) => {
  test('is a 401 with a challenge at every route', async () => {
    expect(routes.length).toBeGreaterThan(35);
    const refused = await token();
    for (const route of routes) {
      const answer = await send(route.method, urlOf(route, victim), refused);
      expect([route, answer.status]).toEqual([route, 401]);
      expect(answer.headers.get('www-authenticate')).toMatch(
        refused === null ? /^Bearer realm="drover"$/ : /error="invalid_token"/,
      );
      expectErrorShape(route, answer);
      expect(answer.text).not.toContain(PLANTED);
      if (refused !== null) expect(answer.text).not.toContain(refused);
    }
  });
});

test('a scheme other than Bearer is a 401', async () => {
  const answer = await send('GET', '/api/batches', null, { headers: { authorization: 'Basic YmxhOmJsYQ==' } });
  expect(answer.status).toBe(401);
});

test('a token is accepted if clocks differ by up to 30 s', async () => {
  expect((await send('GET', '/api/batches', { ...BLUE, expiresIn: -20 })).status).toBe(200);
  expect((await send('GET', '/api/batches', { ...BLUE, validIn: 20 })).status).toBe(200);
});

test('other words of the scope are ignored', async () => {
  expect((await send('GET', '/api/batches', { ...BLUE, scope: 'openid tenant email' })).status).toBe(200);
});

test('a tenant token that names another tenant is a 403 at every route; one that names its own is not', async () => {
  for (const route of routes) {
    const answer = await send(route.method, urlOf(route, victim), RED, { headers: { 'reach-tenant-id': 'blue' } });
    expect([route, answer.status]).toEqual([route, isExtracta(route) ? 401 : 403]);
    expectErrorShape(route, answer);
  }
  expect((await send('GET', '/api/batches', RED, { headers: { 'reach-tenant-id': 'red' } })).status).toBe(200);
});

test('schema definitions, and what an operator sees, are a 403 without platform scope', async () => {
  const platformOnly = routes.filter(({ path }) => path.startsWith('/partner/'));
  expect(platformOnly).toHaveLength(6);
  for (const route of platformOnly) {
    const answer = await send(route.method, urlOf(route, victim), BLUE);
    expect([route, answer.status]).toEqual([route, 403]);
    expect(answer.text).not.toContain(PLANTED);
  }
});

test.each([
  ['another tenant', RED],
  ['another platform', OTHER_PLATFORM],
  ['another platform under the name of the tenant', { platform: 'other', tenant: 'blue', scope: 'tenant' }],
  ['platform scope without the tenant', PLATFORM],
])("what is a tenant's is not there for %s", async (_, who) => {
  const isSamePlatform = who.platform === 'acme';
  for (const route of routes) {
    // these would define something of their own, or change objects of the platform
    if (route.path.startsWith('/partner/') && (isSamePlatform || route.path.endsWith('definitions'))) continue;
    const batchId = (isCamunda(route) ? deletion : victim.batchId) ?? '';
    const body = bodyFor(route, batchId);
    const answer = await send(
      route.method,
      urlOf(route, { ...victim, batchId }),
      who,
      body === undefined ? {} : { body },
    );
    const seen = [route, answer.status];
    expect(answer.text).not.toContain(PLANTED);
    // lists, counts and the namespace of the Camunda façade too
    if (!route.path.includes('{')) expect(answer.text).not.toContain(batchId);
    if (/\{(batchId|importId|instanceId|externalId|webhookId|bulkOperationId)\}/.test(route.path))
      expect(seen).toEqual([route, oneOf(isCamunda(route) ? [400, 404] : [404])]);
    else if (isExtracta(route)) expect(seen).toEqual([route, 400]);
    else if (route.path === '/partner/installation') expect(seen).toEqual([route, 403]);
    else if (route.path.startsWith('/partner/') && who.scope === 'tenant') expect(seen).toEqual([route, 403]);
    else if (route.path.includes('{') && !isSamePlatform) expect(seen).toEqual([route, 404]);
    // an import names its schema definition in the query
    else if (route.path === '/api/imports' && !isSamePlatform) expect(seen).toEqual([route, oneOf([200, 400])]);
    else expect(seen).toEqual([route, oneOf([200, 201, 202, 404])]);
  }
  const own = await send('GET', `/api/batches/${victim.batchId}`, BLUE);
  expect(own.json.data).toMatchObject({ status: 'partial_success', suspended: false });
});

const oneOf = (statuses: readonly number[]) => expect.toSatisfy((status: number) => statuses.includes(status));

/** A valid body, so that the request is not refused because of its body. */
function bodyFor({ method, path }: Route, batchId: string): unknown {
  if (path.startsWith('/api/v1/')) return { classificationId: 'secret-thing', batchId };
  if (path.startsWith('/partner/') && method === 'PUT') return { schema: { type: 'object' } };
  if (path.endsWith('/suspended')) return { suspended: true };
  if (path === '/api/webhooks' && method === 'POST')
    return { url: 'https://example.com/', events: ['batch.completed'] };
  if (path.startsWith('/api/webhooks/') && method === 'PATCH') return { description: 'x' };
  if (/^\/api\/batches\/[a-z]+$/.test(path)) return { filter: { label: 'none' } };
  if (path.endsWith('/seal')) return { parts: 1 };
  if (path.endsWith('/retries')) return { retries: 1 };
  if (path.endsWith('/process-instance/delete')) return { processInstanceIds: ['nobody'] };
  if (path.includes('/process-instance') && method === 'POST') return {};
  if (path.endsWith('/batch/delete') || (path.endsWith('/batch') && method === 'DELETE'))
    return { externalIds: ['x'], dryRun: true };
  if (path.endsWith('/batch') && (method === 'POST' || method === 'PATCH')) return { resources: [{ externalId: 'x' }] };
  return undefined;
}

test("another tenant's batch id cannot be distinguished from one that never existed", async () => {
  const never = '01900000-0000-7000-8000-000000000000';
  const other = await send('GET', `/api/batches/${victim.batchId}`, RED);
  const none = await send('GET', `/api/batches/${never}`, RED);
  expect(other.text.replaceAll(victim.batchId ?? '', 'ID')).toBe(none.text.replaceAll(never, 'ID'));
  expect(other.status).toBe(404);
});

test('a cursor of one tenant is a 400 for another', async () => {
  for (let n = 0; n < 2; n++) {
    await send('POST', '/api/resources/secret-thing/batch', BLUE, { body: { resources: [{ externalId: `r${n}` }] } });
  }
  const { cursor } = (await send('GET', '/api/batches?limit=1', BLUE)).json.data.pagination;
  expect((await send('GET', `/api/batches?limit=1&cursor=${cursor}`, BLUE)).status).toBe(200);
  expect((await send('GET', `/api/batches?limit=1&cursor=${cursor}`, RED)).status).toBe(400);
});

test('the namespace behind the Camunda façade is open to platform scope of the default platform alone', async () => {
  const instances = async (who: Claims): Promise<string> =>
    (await send('GET', '/engine-rest/process-instance', who)).text;
  const { client, taskQueue } = drover.services;
  const untagged = await client.workflow.start('nobodysWorkflow', { taskQueue, workflowId: `${taskQueue}-untagged` });
  const operator: Claims = { platform: 'default', scope: 'platform' };
  await expect.poll(() => instances(operator)).toContain(untagged.workflowId);
  for (const who of [PLATFORM, BLUE, RED, OTHER_PLATFORM]) {
    expect(await instances(who)).not.toContain(untagged.workflowId);
    const body = { processInstanceIds: [untagged.workflowId] };
    const { id } = (await send('POST', '/engine-rest/process-instance/delete', who, { body })).json;
    const headers = bearer(await signed(who));
    expect((await drover.ended(id, { headers })).errors?.summary).toEqual({ not_found: 1 });
  }
  expect((await untagged.describe()).status.name).toBe('RUNNING');
  await untagged.terminate();
});

describe("a batch that the operator's Camunda calls start", () => {
  const OPERATOR: Claims = { platform: 'default', scope: 'platform' };
  const others: [string, Claims, Record<string, string>?][] = [
    ['a tenant named default', { platform: 'default', tenant: 'default', scope: 'tenant' }],
    ['another tenant', { platform: 'default', tenant: 'blue', scope: 'tenant' }],
    ['platform scope with the claim of a tenant', { ...OPERATOR, tenant: 'default' }],
    ['platform scope that names a tenant', OPERATOR, { 'reach-tenant-id': 'default' }],
    ['another platform', OTHER_PLATFORM],
  ];
  let id: string;

  beforeAll(async () => {
    const body = { processInstanceIds: ['nobody'] };
    id = (await send('POST', '/engine-rest/process-instance/delete', OPERATOR, { body })).json.id;
    await drover.ended(id, { headers: bearer(await signed(OPERATOR)) });
  });

  test.each(others)('does not exist for %s', async (_, who, headers = {}) => {
    for (const route of routes) {
      if (!/\/batch(es)?(\/|$)|job-definition/.test(route.path) || route.path.startsWith('/api/resources')) continue;
      const body = bodyFor(route, id);
      const path = fill(route.path, {
        batchId: id.replace(/.$/, (last) => (route.path.includes('job') ? shifted(last) : last)),
      });
      const answer = await send(route.method, path, who, { headers, ...(body !== undefined && { body }) });
      if (route.path.includes('{')) expect([route, answer.status]).toEqual([route, oneOf([400, 404])]);
      else expect([route, answer.text]).toEqual([route, expect.not.stringContaining(id)]);
    }
    const count = async (filter: string): Promise<unknown> =>
      (await send('GET', `/engine-rest/batch/count?batchId=${id}${filter}`, who, { headers })).json;
    for (const filter of ['', '&withoutTenantId=true', '&tenantIdIn=default'])
      expect(await count(filter)).toEqual({ count: 0 });
  });

  /** The last digit of the definition of a batch's jobs. */
  const shifted = (last: string): string => (Number.parseInt(last, 16) ^ 3).toString(16);

  test("is the operator's to list, read, retry and delete, under both APIs", async () => {
    for (const path of ['/engine-rest/batch', '/engine-rest/history/batch', '/api/batches']) {
      expect([path, (await send('GET', path, OPERATOR)).text]).toEqual([path, expect.stringContaining(id)]);
    }
    expect((await send('GET', `/engine-rest/batch/${id}`, OPERATOR)).json).toMatchObject({ id, tenantId: null });
    expect((await send('GET', `/api/batches/${id}/items`, OPERATOR)).json.data.results).toHaveLength(1);
    const jobs = id.replace(/.$/, shifted);
    const retried = await send('PUT', `/engine-rest/job-definition/${jobs}/retries`, OPERATOR, {
      body: { retries: 1 },
    });
    expect(retried.status).toBe(204);
    await drover.ended(id, { headers: bearer(await signed(OPERATOR)) });
    const { client } = drover.services;
    const { searchAttributes } = await client.workflow.getHandle(`batch-${id}`).describe();
    expect(searchAttributes).not.toHaveProperty('DroverTenant');
    expect((await send('DELETE', `/api/batches/${id}`, OPERATOR)).status).toBe(200);
    expect((await send('GET', `/api/batches/${id}`, OPERATOR)).status).toBe(404);
  });

  test('a platform token with the claim of a tenant gives access to that tenant only', async () => {
    const { client, taskQueue } = drover.services;
    const untagged = await client.workflow.start('nobodysWorkflow', { taskQueue, workflowId: `${taskQueue}-claim` });
    const instance = `/engine-rest/process-instance/${untagged.workflowId}`;
    expect((await send('GET', instance, OPERATOR)).status).toBe(200);
    expect((await send('GET', instance, { ...OPERATOR, tenant: 'blue' })).status).toBe(404);
    await untagged.terminate();
  });
});

test('platform scope names its tenant in reach-tenant-id, else in its claim, else it is default', async () => {
  const { batchId } = (
    await send('POST', '/api/resources/secret-thing/batch', PLATFORM, { body: { resources: [{ externalId: 'x' }] } })
  ).json.data;
  const seen = async (who: Claims, tenant?: string): Promise<boolean> =>
    (
      await send(
        'GET',
        `/api/batches/${batchId}`,
        who,
        tenant === undefined ? {} : { headers: { 'reach-tenant-id': tenant } },
      )
    ).status === 200;
  expect(await seen({ platform: 'acme', tenant: 'default', scope: 'tenant' })).toBe(true);
  expect(await seen(PLATFORM, 'default')).toBe(true);
  expect(await seen({ ...PLATFORM, tenant: 'default' })).toBe(true);
  expect(await seen({ ...PLATFORM, tenant: 'red' })).toBe(false);
  expect(await seen({ ...PLATFORM, tenant: 'red' }, 'default')).toBe(true);
  expect(await seen(OTHER_PLATFORM, 'default')).toBe(false);
});

test('health and documentation require no token', async () => {
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs', '/docs/start.js']) {
    expect([path, (await send('GET', path, null)).status]).toEqual([path, 200]);
  }
});

test('the document says that every operation requires a token, except health, readiness and metrics', async () => {
  const { paths, components } = (await send('GET', '/openapi.json', null)).json;
  const others: Record<string, unknown> = {};
  for (const [path, methods] of Object.entries<Record<string, { security: unknown[] }>>(paths)) {
    for (const { security } of Object.values(methods)) {
      if (JSON.stringify(security) !== '[{"token":[]}]') others[path] = security;
    }
  }
  expect(others).toEqual({ '/healthz': [], '/readyz': [], '/metrics': [{}, { metricsToken: [] }] });
  expect(components.securitySchemes.token).toMatchObject({ type: 'http', scheme: 'bearer' });
});
