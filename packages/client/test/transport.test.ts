import { expect, test, vi } from 'vitest';
import { type ClientOptions, createDrover, DroverError } from '../src/index.ts';

/** The answers of a service, one after the other; an error is a connection that breaks. */
type Scripted = Response | Error;

const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
const accepted = () => json(202, { success: true, message: '', data: { batchId: 'b', recordCount: 1 } });
const batch = () => json(200, { success: true, message: '', data: { batchId: 'b', status: 'success' } });
const busy = (retryAfter = '0') => json(429, { success: false, message: 'busy' }, { 'retry-after': retryAfter });
const unavailable = () => json(503, { success: false, message: 'MongoDB cannot be reached' }, { 'retry-after': '0' });
const lost = () => new TypeError('fetch failed', { cause: new Error('ECONNRESET') });

function scripted(answers: readonly Scripted[], options: Partial<ClientOptions> = {}) {
  const requests: { readonly request: Request; readonly body: string }[] = [];
  const client = createDrover({
    url: 'http://drover.test/',
    retry: { maxDelayMs: 1000 },
    fetch: async (request) => {
      requests.push({ request, body: await request.text() });
      const answer = answers[requests.length - 1];
      if (answer === undefined) throw new Error('one request more than was expected');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    ...options,
  });
  return { client, requests };
}
const failureOf = (call: Promise<unknown>): Promise<DroverError> =>
  call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(DroverError);
      return error as DroverError;
    },
  );

test.each([
  ['429', busy],
  ['503', unavailable],
])('an upload that is answered %s is sent again, under the same key and with the same body', async (_, refusal) => {
  const { client, requests } = scripted([refusal(), refusal(), accepted()]);
  await client.resources.upload('city', [{ externalId: '1' }]);
  expect(requests.map(({ body }) => body)).toEqual(Array(3).fill('{"resources":[{"externalId":"1"}]}'));
  const keys = requests.map(({ request }) => request.headers.get('idempotency-key'));
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
});

test('each call that starts a batch has a key of its own, or the key that the caller gives', async () => {
  const { client, requests } = scripted([accepted(), accepted(), accepted()]);
  await client.resources.upload('city', [{ externalId: '1' }]);
  await client.resources.patch('city', [{ externalId: '1' }]);
  await client.resources.delete('city', { deleteAll: true }, { idempotencyKey: 'mine' });
  const keys = requests.map(({ request }) => request.headers.get('idempotency-key'));
  expect(new Set(keys).size).toBe(3);
  expect(keys[2]).toBe('mine');
});

test('a page that does not come over https has keys, too, and sends all parts of an import that it continues', async () => {
  const { getRandomValues } = globalThis.crypto;
  vi.stubGlobal('crypto', { getRandomValues: getRandomValues.bind(globalThis.crypto) });
  const keys: (string | null)[] = [];
  const sent: string[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    keys.push(request.headers.get('idempotency-key'));
    sent.push(`${request.method} ${new URL(request.url).pathname}`);
    const part = { part: 1, bytes: 1, sha256: '' };
    const page = { results: [part], pagination: { hasNextPage: false, total: 1, cursor: null } };
    return Response.json({ success: true, message: '', data: { batchId: 'b', ...page } });
  };
  const client = createDrover({ url: 'http://drover.test', fetch });
  for (let n = 0; n < 2; n++) await client.resources.upload('city', [{}]);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(keys[1]).not.toBe(keys[0]);
  await client.import(new Blob(['1']), { format: 'ndjson', resume: 'i' });
  expect(sent.slice(2)).toEqual(['GET /api/imports/i/parts', 'PUT /api/imports/i/parts/1', 'POST /api/imports/i/seal']);
  vi.unstubAllGlobals();
});

test('a call without a key sends none, and is repeated only after a 429', async () => {
  const { client, requests } = scripted([lost(), unavailable(), busy(), accepted()]);
  const upload = () => client.resources.upload('city', [{ externalId: '1' }], { idempotencyKey: null });
  expect(await failureOf(upload())).toMatchObject({ status: null });
  expect(await failureOf(upload())).toMatchObject({ status: 503 });
  await upload();
  expect(requests.map(({ request }) => request.headers.get('idempotency-key'))).toEqual([null, null, null, null]);
});

test('a control request that is answered 503 is sent again', async () => {
  const { client, requests } = scripted([unavailable(), batch()]);
  await client.batches.suspend('b');
  expect(requests).toHaveLength(2);
});

test('the removal of a part is sent once: another sender may have sent the part anew meanwhile', async () => {
  const { client, requests } = scripted([lost(), unavailable(), busy(), batch()]);
  expect(await failureOf(client.imports.removePart('i', 1))).toMatchObject({ status: null });
  expect(await failureOf(client.imports.removePart('i', 1))).toMatchObject({ status: 503 });
  expect(requests).toHaveLength(2);
  // a 429 had no effect
  await client.imports.removePart('i', 1);
  expect(requests).toHaveLength(4);
});

test('an upload whose answer is lost is sent again; a control request is not, because it may have taken effect', async () => {
  const { client, requests } = scripted([lost(), accepted(), lost()]);
  await client.resources.upload('city', [{ externalId: '1' }]);
  const error = await failureOf(client.batches.cancel('b'));
  expect(error).toMatchObject({ status: null, retryAfter: null, errors: [] });
  expect(error.message).toBe('no answer to POST /api/batches/b/cancel: fetch failed: ECONNRESET');
  expect(requests).toHaveLength(3);
});

test('an answer that breaks off in its body is no answer', async () => {
  const broken = new Response(
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"success":')),
      pull: (controller) => controller.error(new Error('terminated')),
    }),
  );
  const { client, requests } = scripted([broken, batch()]);
  expect((await client.batches.get('b')).status).toBe('success');
  expect(requests).toHaveLength(2);
});

test('a request is sent as many times as configured; then its failure is thrown', async () => {
  const { client, requests } = scripted([busy(), busy(), busy()], { retry: { attempts: 3 } });
  expect(await failureOf(client.batches.get('b'))).toMatchObject({ status: 429, message: 'busy', retryAfter: 0 });
  expect(requests).toHaveLength(3);
});

test('a request is not repeated if the service requires a longer wait than the caller allows', async () => {
  const { client, requests } = scripted([busy('2')]);
  expect(await failureOf(client.batches.get('b'))).toMatchObject({ status: 429, retryAfter: 2 });
  expect(requests).toHaveLength(1);
});

test('without retries every failure is thrown at once', async () => {
  const { client, requests } = scripted([busy(), lost()], { retry: false });
  expect(await failureOf(client.batches.get('b'))).toMatchObject({ status: 429 });
  expect(await failureOf(client.batches.get('b'))).toMatchObject({ status: null });
  expect(requests).toHaveLength(2);
});

test('a Retry-After with a date is converted to seconds from now', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
  try {
    const { client } = scripted([busy('Thu, 01 Jan 2026 00:01:00 GMT')]);
    expect(await failureOf(client.batches.get('b'))).toMatchObject({ retryAfter: 60 });
  } finally {
    vi.useRealTimers();
  }
});

test("the error of a refusal has its status and each fault; that of a proxy's answer has its status", async () => {
  const { client } = scripted([
    json(400, { success: false, message: 'the request has faults', errors: ['limit: is given twice', 'x: unknown'] }),
    new Response('<html>', { status: 502, statusText: 'Bad Gateway' }),
    new Response('<html>', { status: 200 }),
  ]);
  expect(await failureOf(client.batches.get('b'))).toMatchObject({
    status: 400,
    message: 'the request has faults',
    errors: ['limit: is given twice', 'x: unknown'],
  });
  expect(await failureOf(client.batches.get('b'))).toMatchObject({ status: 502, errors: [] });
  expect(await failureOf(client.batches.get('b'))).toMatchObject({ status: null });
});

test('a service that does not answer in time counts as no answer', async () => {
  const never = createDrover({
    url: 'http://drover.test',
    timeoutMs: 20,
    retry: { attempts: 2, maxDelayMs: 1 },
    fetch: (request) =>
      new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason))),
  });
  expect((await failureOf(never.batches.get('b'))).message).toContain('timeout');
});

test('a call that its caller aborts throws the reason, also while it waits before a repetition', async () => {
  const { client, requests } = scripted([busy('1')]);
  const abort = new AbortController();
  const call = client.batches.get('b', { signal: abort.signal });
  await vi.waitUntil(() => requests.length === 1);
  abort.abort(new Error('enough'));
  await expect(call).rejects.toThrow('enough');
});

test.each([
  ['acme', 'reach-tenant-id', 'acme'],
  ['tenant 1', 'reach-tenant-id', 'tenant 1'],
  ['a,b', 'reach-tenant-id*', "UTF-8''a%2Cb"],
  ["café (l'un)*", 'reach-tenant-id*', "UTF-8''caf%C3%A9%20%28l%27un%29%2a"],
])('the tenant %j is named in %s', async (tenant, header, value) => {
  const { client, requests } = scripted([batch()], { tenant });
  await client.batches.get('b');
  expect(requests[0]?.request.headers.get(header)).toBe(value);
});

test('a token is requested for each attempt', async () => {
  let tokens = 0;
  const token = async (): Promise<string> => `token-${++tokens}`;
  const { client, requests } = scripted([busy(), batch()], { token });
  await client.batches.get('b');
  const sent = requests.map(({ request }) => request.headers.get('authorization'));
  expect(sent).toEqual(['Bearer token-1', 'Bearer token-2']);
});
