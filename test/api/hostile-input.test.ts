import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { leastMs } from '../../testkit/measure.ts';
import { Drover } from '../harness/drover.ts';
import { everyRoute, fill } from './every-route.ts';
import { HOSTILE_TEXTS } from './hostile.ts';

/** No request takes longer, in ms. */
const LIMIT_MS = 2_000;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('thing', { note: { type: 'string' }, parent: { $ref: 'reach:schemas/thing' } });
  await drover.ended(
    await drover.upload(
      'thing',
      Array.from({ length: 3 }, (_, n) => ({ externalId: `t${n}`, note: 'kept', parent: 't0' })),
    ),
  );
});
afterAll(() => drover.stop());

interface DeliveryState {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  readonly body: any;
}

async function send(
  method: string,
  path: string,
  body?: string | object,
  headers: Record<string, string> = {},
): Promise<DeliveryState> {
  const { result: answer, ms } = await leastMs(async () => {
    const response = await drover.app.request(path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  });
  expect(ms, `${method} ${path}`).toBeLessThan(LIMIT_MS);
  return answer;
}

describe('operators of MongoDB', () => {
  test.each([{ $ne: null }, { $gt: '' }, { $where: 'sleep(5000)' }, { $regex: '.*' }, ['t0']])(
    'are no external id to delete: %j',
    async (operator) => {
      const answer = await send('DELETE', '/api/resources/thing/batch', { externalIds: [operator] });
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toEqual(['externalIds[0]: must be a string of 1 to 256 whole characters']);
    },
  );

  test('name no batch in the path of Extracta', async () => {
    const answer = await send('DELETE', '/api/v1/documentClassification/deleteBatch', {
      classificationId: { $ne: null },
      batchId: { $gt: '' },
    });
    expect([answer.status, answer.body.status]).toEqual([400, 'error']);
  });

  test('in field names and values are data like any other', async () => {
    const odd = {
      $where: 'sleep(5000)',
      'a.b': { $set: { admin: true } },
      $ne: { $gt: '' },
      '': [{ $oid: 'x' }],
      'x\u0000y': '\u0000',
    };
    const properties = Object.fromEntries(Object.keys(odd).map((name) => [name, {}]));
    await drover.define('odd', properties);
    const id = await drover.upload('odd', [
      { externalId: '$ne', ...odd },
      { externalId: '{"$gt":""}', ...odd },
    ]);
    expect((await drover.ended(id)).status).toBe('success');
    expect((await send('GET', '/api/resources/odd/$ne')).body.data.data).toEqual({ externalId: '$ne', ...odd });
    expect((await send('GET', `/api/resources/odd/${encodeURIComponent('{"$gt":""}')}`)).status).toBe(200);
    expect((await send('GET', '/api/resources/odd?limit=1')).body.data.pagination.total).toBe(2);
  });
});

test('"__proto__" and similar names are ordinary names, and reach no prototype', async () => {
  const schema =
    '{"name":"proto","schema":{"type":"object","properties":{"__proto__":{"type":"object"},"constructor":{"type":"object"},"toString":{}}}}';
  expect((await send('POST', '/partner/schema-definitions', schema)).status).toBe(201);
  const resource =
    '{"externalId":"p","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}';
  const answer = await send('POST', '/api/resources/proto/batch', `{"resources":[${resource}]}`);
  expect(answer.status).toBe(202);
  const outside = `{"__proto__":{"polluted":true},"resources":[${resource}]}`;
  expect((await send('POST', '/api/resources/proto/batch', outside)).status).toBe(400);
  expect((await drover.ended(answer.body.data.batchId)).status).toBe('success');
  const stored = (await send('GET', '/api/resources/proto/p')).body.data.data;
  expect(JSON.stringify(stored)).toContain('"__proto__":{"polluted":true}');
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

describe('a schema definition', () => {
  const define = (name: string, schema: object | string): Promise<DeliveryState> =>
    send(
      'POST',
      '/partner/schema-definitions',
      typeof schema === 'string'
        ? `{"name":"${name}","schema":${schema}}`
        : { name, schema: { type: 'object', ...schema } },
    );
  const many = (n: number, of: (n: number) => unknown): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: n }, (_, at) => [`p${at}`, of(at)]));
  const nested = (depth: number, open: string, close: string): string =>
    `${open.repeat(depth)}{}${close.repeat(depth)}`;

  test.each([
    ['10,000 properties', { properties: many(10_000, () => ({ type: 'string' })) }],
    [
      'references that refer to themselves',
      { properties: { a: { $ref: '#/properties/b' }, b: { $ref: '#/properties/a' } } },
    ],
    ['a reference to the root as all of it', { allOf: [{ $ref: '#' }] }],
    [
      'alternatives that multiply',
      {
        definitions: many(30, (n) => ({
          anyOf: [{ $ref: `#/definitions/p${n + 1}` }, { $ref: `#/definitions/p${n + 1}` }],
        })),
        properties: { a: { $ref: '#/definitions/p0' } },
      },
    ],
    ['a reference to a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }],
    ['a reference to another host', { properties: { a: { $ref: 'http://169.254.169.254/latest' } } }],
    ['a pattern with back-references', { properties: { a: { pattern: '(a+)\\1' } } }],
    ['a pattern that repeats repetitions', { properties: { a: { pattern: '((a{1,500}){1,500}){1,500}' } } }],
    ['1,000 patterns', { properties: many(1_000, () => ({ pattern: '(a|b|c){1,300}' })) }],
    ['100,000 values', { properties: { a: { enum: Array.from({ length: 100_000 }, (_, n) => `v${n}`) } } }],
    ['$id of another document', { properties: { a: { $id: 'http://json-schema.org/draft-07/schema' } } }],
  ])('with %s is a 400 at once', async (what, schema) => {
    const answer = await define(`refused-${what.length}`, schema);
    expect([answer.status, answer.body.errors?.length]).toEqual([400, expect.any(Number)]);
  });

  test.each([
    ['objects', nested(100_000, '{"a":', '}')],
    ['arrays', nested(400_000, '[', ']')],
    ['properties', `{"type":"object","properties":${nested(50_000, '{"a":{"properties":', '}}')}}`],
    ['combinators', `{"type":"object","allOf":[${nested(50_000, '{"allOf":[', ']}')}]}`],
  ])('nested deeply in %s is a 400 at once', async (_, schema) => {
    expect((await define('deep', schema)).status).toBe(400);
  });

  test('with a catastrophic pattern is harmless', async () => {
    const patterns = {
      a: { type: 'string', pattern: '^(a+)+$' },
      b: { type: 'string', pattern: '^(a|aa)+$' },
      c: { type: 'string', pattern: '^([a-zA-Z]+)*$' },
      d: { type: 'string', pattern: '(.*.*.*)*x' },
    };
    expect((await define('patterns', { properties: patterns })).status).toBe(201);
    const evil = `${'a'.repeat(50_000)}!`;
    const started = performance.now();
    const id = await drover.upload(
      'patterns',
      Array.from({ length: 20 }, (_, n) => ({ externalId: `e${n}`, a: evil, b: evil, c: evil, d: evil })),
    );
    const batch = await drover.ended(id);
    expect(batch.counts).toMatchObject({ failed: 20 });
    expect(performance.now() - started).toBeLessThan(30_000);
    expect((await send('GET', '/healthz')).status).toBe(200);
  });
});

describe('a body', () => {
  const starting = ['POST', 'PATCH', 'DELETE'].map((method) => [method, '/api/resources/thing/batch'] as const);
  const all = [
    ...starting,
    ['POST', '/partner/schema-definitions'],
    ['DELETE', '/api/v1/documentClassification/deleteBatch'],
    ['POST', '/engine-rest/process-instance/delete'],
    ['POST', '/engine-rest/process-instance'],
  ] as const;

  test.each(all)('of nothing but brackets is a 400: %s %s', async (method, path) => {
    expect((await send(method, path, '['.repeat(1_000_000))).status).toBe(400);
    expect((await send(method, path, `${'['.repeat(300_000)}${']'.repeat(300_000)}`)).status).toBe(400);
    expect((await send(method, path, `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)).status).toBe(400);
  });

  test.each(all)(
    'with more members than can be parsed quickly is a 400 before it is parsed: %s %s',
    async (method, path) => {
      const members = Array.from({ length: 600_000 }, (_, n) => `"${n.toString(36)}":1`).join(',');
      const parse = vi.spyOn(JSON, 'parse');
      try {
        expect((await send(method, path, `{"resources":[{${members}}]}`)).status).toBe(400);
        expect(parse.mock.calls.filter(([text]) => text.length > 1_000_000)).toEqual([]);
      } finally {
        parse.mockRestore();
      }
    },
  );

  test.each([
    ['POST', 'resources', '0'],
    ['PATCH', 'resources', '""'],
    ['DELETE', 'externalIds', '""'],
    ['DELETE', 'externalIds', '{}'],
  ])('with millions of wrong entries is a 400 that names a hundred at most: %s %s %s', async (method, name, entry) => {
    const entries = `${`${entry},`.repeat(5_000_000)}${entry}`;
    const answer = await send(method, '/api/resources/thing/batch', `{"${name}":[${entries}]}`);
    expect([answer.status, answer.body.errors.length <= 100]).toEqual([400, true]);
  });

  test('with a resource that is nested deeply fails that item alone', async () => {
    const deep = `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`;
    const answer = await send(
      'POST',
      '/api/resources/thing/batch',
      `{"resources":[{"externalId":"deep","note":${deep}},{"externalId":"flat"}]}`,
    );
    expect(answer.status).toBe(202);
    expect((await drover.ended(answer.body.data.batchId)).counts).toMatchObject({ succeeded: 1, failed: 1 });
  });

  test('with a hundred thousand fields in one resource fails that item alone', async () => {
    const fields = Array.from({ length: 100_000 }, (_, n) => `"f${n}":1`).join(',');
    const answer = await send(
      'POST',
      '/api/resources/thing/batch',
      `{"resources":[{"externalId":"wide",${fields}},{"externalId":"narrow"}]}`,
    );
    expect(answer.status).toBe(202);
    expect((await drover.ended(answer.body.data.batchId)).counts).toMatchObject({ succeeded: 1, failed: 1 });
  });

  test('with nested alternatives of the Camunda query causes no stack overflow', async () => {
    const nested = `${'{"orQueries":['.repeat(20_000)}{}${']}'.repeat(20_000)}`;
    expect((await send('POST', '/engine-rest/process-instance', nested)).status).toBe(400);
    expect(
      (await send('POST', '/engine-rest/process-instance/delete', `{"processInstanceQuery":${nested}}`)).status,
    ).toBe(400);
  });
});

describe('characters', () => {
  test('NUL in an external id is a character like any other', async () => {
    expect(
      (await drover.ended(await drover.upload('thing', [{ externalId: 'x\u0000y' }, { externalId: 'x' }]))).actions,
    ).toMatchObject({ created: 2 });
    expect((await send('GET', '/api/resources/thing/x%00y')).body.data.resourceExternalId).toBe('x\u0000y');
    expect((await send('GET', '/api/resources/thing/x')).body.data.resourceExternalId).toBe('x');
  });

  test('half a character fails its item and names the field, be it in a value or a name; whole ones come back', async () => {
    const note = '😀\ufffd';
    for (const method of ['POST', 'PATCH']) {
      const id = await drover.upload('thing', [{ externalId: 'h' }]);
      await drover.ended(id);
      const answer = await send(method, '/api/resources/thing/batch?ignoreUnknownFields=true', {
        resources: [
          { externalId: 'h\ud800' },
          { externalId: 'h', note: '\udc00\ud800' },
          { externalId: 'h', note: { deep: [{ 'x\udfff': 1 }] } },
          { externalId: 'h', 'unknown\ud800': 1 },
          { externalId: 'h', note },
        ],
      });
      expect(answer.status).toBe(202);
      await drover.ended(answer.body.data.batchId);
      const items = await drover.items(answer.body.data.batchId);
      expect(items.map(({ errors }) => errors)).toEqual([
        [{ code: 'invalid_external_id', field: 'externalId', message: expect.stringMatching(/half of a character/) }],
        [{ code: 'validation', field: 'note', message: '"note" holds half of a character (a lone surrogate)' }],
        [{ code: 'validation', field: '/note/deep/0/x\ufffd', message: expect.stringMatching(/ in its name$/) }],
        [{ code: 'validation', field: 'unknown\ufffd', message: expect.stringMatching(/ in its name$/) }],
        undefined,
      ]);
    }
    expect((await send('GET', '/api/resources/thing/h')).body.data.data.note).toBe(note);
  });

  test('half a character outside of the resources is a 400 that names its place', async () => {
    const half = 'x\ud800';
    const definitions = '/partner/schema-definitions';
    const refused: [string, string, object, RegExp][] = [
      ['DELETE', '/api/resources/thing/batch', { externalIds: ['a', half] }, /^externalIds\[1\]: /],
      ['POST', '/api/resources/thing/batch', { resources: [{ externalId: 'a' }], [half]: 1 }, /^x\ufffd: /],
      ['POST', '/api/resources/thing/batch', { resources: [half] }, /^resources\[0\]: /],
      ['POST', definitions, { name: 'halves', description: half, schema: {} }, /^description: holds half/],
      [
        'POST',
        definitions,
        { name: 'halves', schema: { type: 'object', properties: { [half]: {} } } },
        /^schema\.properties\.x\ufffd: holds half .* in its name$/,
      ],
      ['PUT', `${definitions}/thing`, { schema: { type: 'object', title: half } }, /^schema\.title: holds half/],
    ];
    for (const [method, path, body, fault] of refused) {
      const answer = await send(method, path, body);
      expect([path, answer.status, answer.body.errors?.[0]]).toEqual([path, 400, expect.stringMatching(fault)]);
    }
    // bytes that cannot be decoded are no half of a character, and no UTF-8
    for (const path of ['/api/batches?cursor=%ED%A0%80', '/api/resources/thing/-?externalId=%ED%A0%80'])
      expect([path, (await send('GET', path)).status]).toEqual([path, 400]);
  });
});

test('a cursor that was changed, that belongs to another list or that was never issued is a 400', async () => {
  const lists = [
    '/api/batches',
    '/api/resources/thing',
    '/api/resources/thing/t0/references',
    '/partner/schema-definitions',
  ];
  const cursors = await Promise.all(
    lists.map(async (path) => (await send('GET', `${path}?limit=1`)).body.data.pagination.cursor as string),
  );
  for (const [at, path] of lists.entries()) {
    const cursor = cursors[at] ?? '';
    expect((await send('GET', `${path}?limit=1&cursor=${cursor}`)).status).toBe(200);
    const others = cursors.filter((other) => other !== cursor);
    const places = Array.from({ length: Math.ceil(cursor.length / 7) }, (_, n) => n * 7);
    const changed = places.map((n) => cursor.slice(0, n) + (cursor[n] === 'A' ? 'B' : 'A') + cursor.slice(n + 1));
    const forged = [['$ne', 'x'], [{ $gt: '' }, 'x'], [null], {}, 'x', ['x', '']].map((value) =>
      Buffer.from(JSON.stringify(value)).toString('base64url'),
    );
    for (const wrong of [...others, ...changed, ...forged, ...HOSTILE_TEXTS.filter((text) => text !== '')]) {
      const answer = await send(
        'GET',
        `${path}?limit=1&cursor=${encodeURIComponent(wrong.replace(/\p{Surrogate}/gu, '\ufffd'))}`,
      );
      // a change may leave the meaning of the cursor as it was
      const isSame = Buffer.from(wrong, 'base64url').equals(Buffer.from(cursor, 'base64url'));
      expect([path, wrong, answer.status]).toEqual([path, wrong, isSame ? 200 : 400]);
    }
  }
});

test('an id of the wrong shape is not found, at every route that takes one', async () => {
  for (const { method, path } of await everyRoute(drover.app)) {
    if (!path.includes('{batchId}')) continue;
    for (const [at, text] of HOSTILE_TEXTS.entries()) {
      if (at % 4 !== 0 || text === '' || /^\.{1,2}$|[\ud800-\udfff]|^(count|statistics|delete)$/.test(text)) continue;
      const answer = await send(
        method,
        fill(path, { batchId: text }),
        /suspended|retries/.test(path) ? { suspended: true, retries: 1 } : undefined,
      );
      expect([method, path, text, answer.status]).toEqual([
        method,
        path,
        text,
        path.startsWith('/engine-rest/') ? expect.toSatisfy((status) => status === 400 || status === 404) : 404,
      ]);
    }
  }
});
