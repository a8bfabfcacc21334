import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('Number', { n: {}, inner: { type: 'object' }, list: { type: 'array' } });
});
afterAll(() => drover.stop());

const PATH = '/api/resources/Number/batch';

/** Uploads texts of resources unchanged. @returns the finished items. */
async function uploaded(method: string, ...resources: readonly string[]) {
  const { status, body } = await drover.request<{ batchId: string }>(method, PATH, {
    body: `{"resources":[${resources.join(',')}]}`,
  });
  expect(status).toBe(202);
  await drover.ended(body.data.batchId);
  return drover.items(body.data.batchId);
}

const stored = async (externalId: string): Promise<unknown> =>
  (await drover.request<{ data: unknown }>('GET', `/api/resources/Number/${externalId}`)).body.data.data;

test('an integer that cannot be held exactly fails its item and names the field; it is never stored as another number', async () => {
  const [first] = await uploaded('POST', '{"externalId":"a","n":9007199254740992}');
  expect(first).toMatchObject({ status: 'succeeded', action: 'created' });
  for (const method of ['POST', 'PATCH']) {
    const items = await uploaded(
      method,
      '{"externalId":"a","n":9007199254740993}',
      '{"externalId":"a","inner":{"deep":[1,{"n":-9007199254740993}]}}',
      '{"externalId":"a","n":1e400}',
      '{"externalId":"a","n":9007199254740992}',
    );
    expect(items).toMatchObject([
      {
        status: 'failed',
        errors: [{ code: 'validation', field: 'n', message: expect.stringContaining('9007199254740993') }],
      },
      { status: 'failed', errors: [{ code: 'validation', field: '/inner/deep/1/n' }] },
      { status: 'failed', errors: [{ code: 'validation', field: 'n', message: expect.stringContaining('1e400') }] },
      { status: 'succeeded', action: 'unchanged' },
    ]);
  }
  expect(await stored('a')).toEqual({ externalId: 'a', n: 9_007_199_254_740_992 });
});

test('the answer of a GET can be uploaded again and is unchanged, also with numbers beyond the exact integers', async () => {
  const numbers = [
    '12345678901234567168',
    '1.2345678901234567e19',
    '-9007199254740994',
    '1e23',
    '1e300',
    '0.1',
    '5e-324',
  ];
  const [created] = await uploaded('POST', `{"externalId":"again","list":[${numbers.join(',')}]}`);
  expect(created).toMatchObject({ status: 'succeeded', action: 'created' });
  for (const path of ['/api/resources/Number/again', '/api/resources/Number']) {
    const text = await (await drover.app.request(path)).text();
    const [data] = /\{"externalId":"again"[^}]*\}/.exec(text) ?? [];
    const numbersRead = '12345678901234567168,12345678901234567168,-9007199254740994,1e+23,1e+300,0.1,5e-324';
    expect(data).toBe(`{"externalId":"again","list":[${numbersRead}]}`);
    for (const method of ['POST', 'PATCH'])
      expect(await uploaded(method, data ?? '')).toMatchObject([{ status: 'succeeded', action: 'unchanged' }]);
  }
});

test('the answer of a GET of a definition can be sent back with PUT, also with bounds beyond the exact integers', async () => {
  const path = '/partner/schema-definitions';
  const schema = '{"type":"object","properties":{"n":{"maximum":1.2345678901234567e19}}}';
  expect((await drover.request('POST', path, { body: `{"name":"Bounded","schema":${schema}}` })).status).toBe(201);
  const text = await (await drover.app.request(`${path}/Bounded`)).text();
  expect(text).toContain('"maximum":12345678901234567168');
  const [, data = ''] = /"data":(\{.*\})\}$/.exec(text) ?? [];
  const put = await drover.request<{ versionNumber: number }>('PUT', `${path}/Bounded`, { body: data });
  expect([put.status, put.body.data?.versionNumber]).toEqual([200, 1]);
});

test('a member given twice in a resource fails that item alone, at any depth', async () => {
  const items = await uploaded(
    'POST',
    '{"externalId":"b","n":1,"n":2}',
    '{"externalId":"c","list":[{"x":1,"\\u0078":1}]}',
    '{"externalId":"d","externalId":"e"}',
    '{"externalId":"f","n":"\\"n\\":1,\\"n\\":2"}',
  );
  expect(items).toMatchObject([
    { status: 'failed', errors: [{ code: 'validation', field: 'n', message: '"n" is given twice' }] },
    { status: 'failed', errors: [{ code: 'validation', field: '/list/0/x' }] },
    { status: 'failed', errors: [{ code: 'validation', field: 'externalId' }] },
    { status: 'succeeded', action: 'created' },
  ]);
});

test('both are a 400 outside of the resources: they would change a bound in a definition', async () => {
  const define = (schema: string) =>
    drover.request('POST', '/partner/schema-definitions', { body: `{"name":"Other","schema":${schema}}` });
  const rounded = await define('{"type":"object","properties":{"n":{"maximum":9007199254740993}}}');
  expect([rounded.status, rounded.body.errors]).toEqual([
    400,
    [expect.stringMatching(/^schema\.properties\.n\.maximum: is an integer that/)],
  ]);
  const repeated = await define('{"type":"object","properties":{"n":{},"n":{"type":"string"}}}');
  expect([repeated.status, repeated.body.errors]).toEqual([400, ['schema.properties.n: is given twice']]);
});

test('POST …/batch/delete takes the same body as DELETE and gives the same answers', async () => {
  await uploaded('POST', '{"externalId":"x"}', '{"externalId":"y"}');
  const body = { externalIds: ['x', 'y', 'nobody'], dryRun: true };
  const dry = await drover.request('DELETE', PATH, { body });
  const dryByPost = await drover.request('POST', `${PATH}/delete`, { body });
  expect([dryByPost.status, dryByPost.body]).toEqual([200, dry.body]);
  const headers = { 'idempotency-key': 'either way' };
  const real = { externalIds: ['x'] };
  const byPost = await drover.request<{ batchId: string }>('POST', `${PATH}/delete`, { body: real, headers });
  expect(byPost).toMatchObject({ status: 202, body: { data: { recordCount: 1 } } });
  expect((await drover.request('DELETE', PATH, { body: real, headers })).body).toEqual(byPost.body);
  expect((await drover.ended(byPost.body.data.batchId)).actions).toMatchObject({ deleted: 1 });
  const empty = await drover.request('POST', `${PATH}/delete`, { body: {} });
  expect([empty.status, empty.body]).toEqual([400, (await drover.request('DELETE', PATH, { body: {} })).body]);
});

test('a DELETE without body or content type is a 400 that says what to send', async () => {
  const bare = await drover.request('DELETE', PATH);
  expect([bare.status, bare.body.errors]).toEqual([
    400,
    [expect.stringMatching(/^body: is empty.*application\/json.*"externalIds".*"deleteAll".*\/batch\/delete/)],
  ]);
  const untyped = await drover.app.request(PATH, {
    method: 'DELETE',
    body: new TextEncoder().encode('{"externalIds":["a"]}'),
  });
  expect([untyped.status, ((await untyped.json()) as { errors: string[] }).errors]).toEqual([
    400,
    [expect.stringMatching(/^content-type: must be given, as application\/json.*"externalIds"/)],
  ]);
});
