import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BatchStatus, progressOf } from '../../domain/batch/batch.ts';
import { loadConfig } from '../../process/config.ts';
import type { BatchView } from '../../services/batches/view-batch.ts';
import { Conformance, UTC_DATE, UUID_V7 } from '../harness/conformance.ts';
import { Drover, type RequestOptions } from '../harness/drover.ts';
import { Tenant } from '../harness/tenant.ts';

const BODY_LIMIT = 200_000;

let drover: Drover;
let conformance: Conformance;
let countryId: string;
let tenant: Tenant;
/** Ids of batches by their state: `success` has succeeded, `partial` has failed items too, `waiting` waits. */
let batches: Record<'success' | 'partial' | 'waiting' | 'suspended', string>;

beforeAll(async () => {
  drover = await Drover.start({ environment: { BODY_LIMIT_BYTES: String(BODY_LIMIT) } });
  conformance = await Conformance.watch(drover);
  tenant = new Tenant(drover);
  countryId = await drover.define(
    'Country',
    { name: { type: 'string' }, borders: { type: 'array', items: { $ref: 'reach:schemas/Country' } } },
    { required: ['name'], pluralName: 'Countries', description: 'A state' },
  );
  const [success, partial, waiting, suspended] = await Promise.all([
    tenant.upload('Country', [
      { externalId: 'DE', name: 'Germany' },
      { externalId: 'FR', name: 'France', borders: ['DE'] },
    ]),
    tenant.upload('Country', [
      { externalId: 'IS', name: 'Iceland' },
      { externalId: 'XX' },
      { externalId: 'YY', name: 7 },
    ]),
    tenant.upload('Country', [{ externalId: 'PL', name: 'Poland', borders: ['CZ'] }], { dependencyWaitTimeout: 600 }),
    tenant.upload('Country', [{ externalId: 'AT', name: 'Austria', borders: ['HU'] }], { dependencyWaitTimeout: 600 }),
  ]);
  batches = { success, partial, waiting, suspended };
  await Promise.all([tenant.ended(success), tenant.ended(partial), tenant.waiting(waiting), tenant.waiting(suspended)]);
});
afterAll(async () => {
  await send('POST', `/api/batches/${batches.waiting}/cancel`);
  await drover.stop();
});

const send = (method: string, path: string, options: RequestOptions = {}) =>
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  drover.request<any>(method, path, { tenant: tenant.tenant, ...options });

const TEXT = expect.stringMatching(/./);
const ID = expect.stringMatching(UUID_V7);
const DATE = expect.stringMatching(UTC_DATE);
const success = (data: unknown) => ({ success: true, message: TEXT, data });
const fault = (errors?: unknown) => ({ success: false, message: TEXT, ...(errors !== undefined && { errors }) });
const END_OF_LIST = { hasNextPage: false, total: expect.any(Number), cursor: null };

const BATCH = '/api/resources/Country/batch';
const DEFINITIONS = '/partner/schema-definitions';
const EXTRACTA = '/api/v1/documentClassification/deleteBatch';
const NEVER = '01900000-0000-7000-8000-000000000000';
const resources = [{ externalId: 'DE', name: 'Germany' }];

describe('a request that starts a batch', () => {
  test.each([
    ['POST', '', { resources }, { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 }],
    [
      'POST',
      '?onconflict=&ignoreUnknownFields=&dependencyWaitTimeout=',
      { resources },
      { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    ],
    [
      'POST',
      '?onconflict=reject&ignoreUnknownFields=true&dependencyWaitTimeout=86400',
      { resources },
      { onconflict: 'reject', ignoreUnknownFields: true, dependencyWaitTimeout: 86_400 },
    ],
    ['PATCH', '', { resources }, { ignoreUnknownFields: false }],
    ['PATCH', '?ignoreUnknownFields=false', { resources }, { ignoreUnknownFields: false }],
    ['PATCH', '?ignoreUnknownFields=true', { resources }, { ignoreUnknownFields: true }],
    ['DELETE', '', { externalIds: ['nobody'] }, { cascade: false, deleteAll: false }],
    ['POST', '/delete', { externalIds: ['nobody'] }, { cascade: false, deleteAll: false }],
    [
      'DELETE',
      '',
      { externalIds: ['nobody'], cascade: true, deleteAll: false, dryRun: false },
      { cascade: true, deleteAll: false },
    ],
  ])('%s%s is a 202, and its options are on the batch', async (method, query, body, options) => {
    const answer = await send(method, BATCH + query, { body });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual(success({ batchId: ID, message: TEXT, recordCount: 1, schemaDefinitionId: countryId }));
    expect((await tenant.ended(answer.body.data.batchId)).options).toEqual(options);
  });

  test('takes a schema definition by id, name and plural name, names in any case', async () => {
    for (const name of [countryId, 'Country', 'COUNTRY', 'countries']) {
      const { status, body } = await send('DELETE', `/api/resources/${name}/batch`, {
        body: { externalIds: ['nobody'] },
      });
      expect([name, status, body.data?.schemaDefinitionId]).toEqual([name, 202, countryId]);
    }
  });

  test('counts the ids that a delete names, or the resources that deleteAll finds', async () => {
    const own = new Tenant(drover);
    await own.uploaded('Country', [
      { externalId: 'A', name: 'A' },
      { externalId: 'B', name: 'B' },
    ]);
    const byId = await drover.request('DELETE', BATCH, {
      body: { externalIds: ['A', 'A', 'nobody'] },
      tenant: own.tenant,
    });
    expect(byId.body.data).toMatchObject({ recordCount: 3 });
    await own.ended((byId.body.data as { batchId: string }).batchId);
    const all = await drover.request('DELETE', BATCH, {
      body: { externalIds: [], deleteAll: true },
      tenant: own.tenant,
    });
    expect(all.body.data).toMatchObject({ recordCount: 1 });
  });

  test('dryRun of an upload or patch is a 200 with the outcome of each item, and makes no batch', async () => {
    const before = (await send('GET', '/api/batches?limit=1')).body.data.pagination.total;
    const body = { resources: [{ externalId: 'nobody', name: 'Nowhere' }] };
    for (const [method, status] of [
      ['POST', 'succeeded'],
      ['PATCH', 'failed'],
    ] as const) {
      const answer = await send(method, `${BATCH}?dryRun=true`, { body });
      expect([answer.status, answer.body.data]).toMatchObject([
        200,
        { dryRun: true, schemaDefinitionId: countryId, counts: { [status]: 1 }, items: [{ index: 0, status }] },
      ]);
    }
    expect((await send('GET', '/api/batches?limit=1')).body.data.pagination.total).toBe(before);
  });

  test('dryRun is a 200 with numbers, and makes no batch', async () => {
    const before = (await send('GET', '/api/batches?limit=1')).body.data.pagination.total;
    const ask = (body: object) => send('DELETE', BATCH, { body: { ...body, dryRun: true } });
    const some = await ask({ externalIds: ['DE', 'FR', 'FR', 'nobody'] });
    const byPost = { externalIds: ['DE', 'FR', 'FR', 'nobody'], dryRun: true };
    expect((await send('POST', `${BATCH}/delete`, { body: byPost })).body).toEqual(some.body);
    expect([some.status, some.body]).toEqual([
      200,
      success({
        dryRun: true,
        schemaDefinitionId: countryId,
        deletions: [{ schemaDefinitionId: countryId, schemaDefinitionName: 'Country', count: 2 }],
        totalDeletions: 2,
        skipped: 0,
        notFound: 1,
      }),
    ]);
    expect((await ask({ externalIds: ['DE'] })).body.data).toMatchObject({
      deletions: [],
      totalDeletions: 0,
      skipped: 1,
      notFound: 0,
    });
    expect((await ask({ deleteAll: true })).body.data).toMatchObject({ totalDeletions: 3, skipped: 0, notFound: 0 });
    expect((await send('GET', '/api/batches?limit=1')).body.data.pagination.total).toBe(before);
  });

  test('with an Idempotency-Key is the same batch and the same answer again, and another request is a 422', async () => {
    const headers = { 'idempotency-key': 'k'.repeat(255) };
    const first = await send('POST', BATCH, { body: { resources }, headers });
    expect(first.status).toBe(202);
    for (const path of [BATCH, `/api/resources/${countryId}/batch?onconflict=upsert`]) {
      const again = await send('POST', path, { body: { resources }, headers });
      expect([again.status, again.body]).toEqual([202, first.body]);
    }
    for (const [method, path, body] of [
      ['POST', BATCH, { resources: [{ externalId: 'other', name: 'x' }] }],
      ['POST', `${BATCH}?onconflict=reject`, { resources }],
      ['PATCH', BATCH, { resources }],
      ['DELETE', BATCH, { externalIds: ['nobody'] }],
      ['POST', `${BATCH}/delete`, { externalIds: ['nobody'] }],
    ] as const) {
      const other = await send(method, path, { body, headers });
      expect([method, other.status, other.body]).toEqual([method, 422, fault()]);
    }
    const elsewhere = await drover.request<{ batchId: string }>('POST', BATCH, {
      body: { resources },
      headers,
      tenant: new Tenant(drover).tenant,
    });
    expect(elsewhere.body.data.batchId).not.toBe(first.body.data.batchId);
  });

  test('that is not accepted binds no Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'not yet' };
    expect((await send('POST', BATCH, { body: { resources: [] }, headers })).status).toBe(400);
    expect((await send('POST', '/api/resources/nothing/batch', { body: { resources }, headers })).status).toBe(404);
    expect((await send('DELETE', BATCH, { body: { externalIds: ['DE'], dryRun: true }, headers })).status).toBe(200);
    expect((await send('PATCH', BATCH, { body: { resources }, headers })).status).toBe(202);
  });
});

const many = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));

describe('a wrong request is a 400 that names each fault with its place', () => {
  const writes: [string, RequestOptions, unknown[]][] = [
    ['no JSON', { body: '{"resources":' }, [expect.stringMatching(/^body: .*JSON/)]],
    ['an empty body', { body: '' }, [expect.stringMatching(/^body: .*JSON/)]],
    ['no UTF-8', { body: new Uint8Array([0x22, 0xff, 0x22]) }, [expect.stringMatching(/^body: .*UTF-8/)]],
    ['null', { body: 'null' }, [expect.stringMatching(/^body: .*object/)]],
    ['an array', { body: [] }, [expect.stringMatching(/^body: .*object/)]],
    ['text', { body: '"resources"' }, [expect.stringMatching(/^body: .*object/)]],
    ['no resources', { body: {} }, [expect.stringMatching(/^resources: /)]],
    ['resources that are no array', { body: { resources: { 0: {} } } }, [expect.stringMatching(/^resources: .*array/)]],
    ['no resource', { body: { resources: [] } }, [expect.stringMatching(/^resources: .*at least one/)]],
    [
      '1001 resources',
      { body: { resources: many(1001, () => ({})) } },
      [expect.stringMatching(/^resources: .*at most 1000/)],
    ],
    [
      'entries that are no objects',
      { body: { resources: [{}, 5, null, [], 'x', {}] } },
      [1, 2, 3, 4].map((n) => `resources[${n}]: must be an object`),
    ],
    [
      '150 such entries',
      { body: { resources: many(150, () => 0) } },
      many(100, (n) => `resources[${n}]: must be an object`),
    ],
    [
      'an Idempotency-Key over 255 characters',
      { body: { resources }, headers: { 'idempotency-key': 'k'.repeat(256) } },
      [expect.stringMatching(/^idempotency-key: /)],
    ],
    [
      'a tenant over 128 characters',
      { body: { resources }, tenant: 't'.repeat(129) },
      [expect.stringMatching(/^reach-tenant-id: /)],
    ],
  ];
  test.each(
    ['POST', 'PATCH'].flatMap((method) =>
      writes.map(([what, request, errors]) => [method, what, request, errors] as const),
    ),
  )('%s with %s', async (method, _, request, errors) => {
    const { status, body } = await send(method, BATCH, request);
    expect([status, body]).toEqual([400, fault(errors)]);
  });

  test.each<[string, unknown, unknown[]]>([
    ['neither externalIds nor deleteAll', {}, [expect.stringMatching(/^externalIds: .*deleteAll/)]],
    [
      'no externalIds and deleteAll false',
      { externalIds: [], deleteAll: false },
      [expect.stringMatching(/^externalIds: /)],
    ],
    ['both', { externalIds: ['a'], deleteAll: true }, [expect.stringMatching(/^externalIds: .*deleteAll/)]],
    ['both, dry', { externalIds: ['a'], deleteAll: true, dryRun: true }, [expect.stringMatching(/^externalIds: /)]],
    [
      'ids that are not strings',
      { externalIds: ['a', 5, '', null, 'x'.repeat(257)] },
      [1, 2, 3, 4].map((n) => expect.stringMatching(`^externalIds\\[${n}\\]: `)),
    ],
    ['ids that are no array', { externalIds: 'a' }, [expect.stringMatching(/^externalIds: .*array/)]],
    [
      'values that are not booleans',
      { externalIds: ['a'], cascade: 'true', deleteAll: 0, dryRun: null },
      ['cascade', 'deleteAll', 'dryRun'].map((name) => `${name}: must be true or false`),
    ],
    ['null', null, [expect.stringMatching(/^body: .*object/)]],
  ])('DELETE with %s', async (_, body, errors) => {
    const answer = await send('DELETE', BATCH, { body: JSON.stringify(body) });
    expect([answer.status, answer.body]).toEqual([400, fault(errors)]);
  });

  test('DELETE, a dry one too, with an Idempotency-Key over 255 characters', async () => {
    for (const dryRun of [true, false]) {
      const { status } = await send('DELETE', BATCH, {
        body: { externalIds: ['a'], dryRun },
        headers: { 'idempotency-key': 'k'.repeat(256) },
      });
      expect(status).toBe(400);
    }
  });

  const queries: [string, string, string[], string[]][] = [
    ['POST', BATCH, ['onconflict'], ['UPSERT', 'merge', 'true']],
    ['POST', BATCH, ['ignoreUnknownFields'], ['1', '0', 'yes', 'TRUE', 'null']],
    ['PATCH', BATCH, ['ignoreUnknownFields'], ['1', 'True', 'on']],
    ['POST', BATCH, ['dependencyWaitTimeout'], ['-1', '86401', '1.5', '1e3', 'abc', 'null', '99999999999999999999']],
    ['GET', '/api/batches', ['limit'], ['0', '101', '-1', 'x', '1.0']],
    ['GET', '/api/batches', ['status', 'batchType', 'sortBy'], ['SUCCESS', 'nothing']],
    ['GET', '/api/batches', ['cursor'], ['x', 'bnVsbA']],
    ['GET', `/api/batches/${NEVER}`, ['includePendingDetails'], ['1', 'TRUE']],
    ['GET', '/api/resources/Country', ['limit'], ['0', '101']],
    ['GET', '/api/resources/Country', ['cursor'], ['x']],
    ['GET', DEFINITIONS, ['limit'], ['0', '101']],
    ['GET', DEFINITIONS, ['cursor'], ['x']],
  ];
  test.each(
    queries.flatMap(([method, path, names, values]) =>
      names.flatMap((name) => values.map((value) => [method, path, name, value] as const)),
    ),
  )('%s %s?%s=%s', async (method, path, name, value) => {
    const answer = await send(method, `${path}?${name}=${value}`, method === 'GET' ? {} : { body: { resources } });
    expect([answer.status, answer.body]).toEqual([400, fault([expect.stringMatching(`^${name}: `)])]);
    expect(answer.body.message).toBe(answer.body.errors?.[0]);
  });

  test('all faults at once: in query, header and body', async () => {
    const { status, body } = await send('POST', `${BATCH}?onconflict=x&dependencyWaitTimeout=-1`, {
      body: { resources: [1, {}] },
      headers: { 'idempotency-key': 'k'.repeat(256) },
    });
    expect([status, body]).toEqual([
      400,
      fault(
        ['onconflict', 'dependencyWaitTimeout', 'idempotency-key', 'resources\\[0\\]'].map((place) =>
          expect.stringMatching(`^${place}: `),
        ),
      ),
    ]);
  });

  test('of a schema definition, by its JSON pointer', async () => {
    const schema = {
      type: 'object',
      properties: {
        a: { type: 'strng' },
        b: { $ref: 'https://elsewhere.test/x' },
        c: { oneOf: [{ $ref: 'reach:schemas/Country' }] },
      },
    };
    const wrong: [object, string[]][] = [
      [{ name: 'a b', schema: { type: 'array' } }, ['/name', '/schema/type']],
      [{ name: 'x', schema }, ['/schema/properties/a/type']],
      [{ name: 'x', schema: { ...schema, properties: { b: schema.properties.b } } }, ['/schema/properties/b/$ref']],
      [
        { name: 'x', schema: { ...schema, properties: { c: schema.properties.c } } },
        ['/schema/properties/c/oneOf/0/$ref'],
      ],
      [{ schema: { type: 'object' } }, ['/name']],
      [{ name: 'x' }, ['/schema']],
    ];
    for (const [body, pointers] of wrong) {
      const answer = await send('POST', DEFINITIONS, { body });
      expect([answer.status, answer.body]).toEqual([
        400,
        fault(pointers.map((pointer) => expect.stringContaining(`${pointer}: `))),
      ]);
    }
    const fixed = await send('PUT', `${DEFINITIONS}/Country`, {
      body: { name: 'X', pluralName: 'Y', externalIdField: 'z', schema: { type: 'object' } },
    });
    expect([fixed.status, fixed.body]).toEqual([
      400,
      fault(['/name', '/pluralName', '/externalIdField'].map((pointer) => expect.stringContaining(`${pointer}: `))),
    ]);
  });
});

describe('an object that does not exist is a 404 with data.error', () => {
  test.each([
    ['POST', '/api/resources/nothing/batch', { resources }],
    ['PATCH', '/api/resources/nothing/batch', { resources }],
    ['DELETE', '/api/resources/nothing/batch', { externalIds: ['a'] }],
    ['DELETE', '/api/resources/nothing/batch', { externalIds: ['a'], dryRun: true }],
    ['GET', '/api/resources/nothing'],
    ['GET', '/api/resources/nothing/DE'],
    ['GET', '/api/resources/Country/nobody'],
    ['GET', '/api/resources/Country/nobody/references'],
    ['GET', `/api/batches/${NEVER}`],
    ['GET', '/api/batches/no-uuid'],
    ['POST', '/api/resources/nothing/batch/delete', { externalIds: ['a'] }],
    ['GET', `/api/batches/${NEVER}/items`],
    ['GET', `/api/batches/${NEVER}/events`],
    ['POST', `/api/batches/${NEVER}/suspend`],
    ['POST', `/api/batches/${NEVER}/resume`],
    ['POST', `/api/batches/${NEVER}/cancel`],
    ['POST', `/api/batches/${NEVER}/retry`],
    ['POST', `/api/batches/${NEVER}/undo`],
    ['DELETE', `/api/batches/${NEVER}`],
    ['GET', `${DEFINITIONS}/nothing`],
    ['PUT', `${DEFINITIONS}/nothing`, { schema: { type: 'object' } }],
    ['DELETE', `${DEFINITIONS}/nothing`],
    ['GET', '/nothing/here'],
    ['GET', '/api/batches/%E0%A4%A'],
  ])('%s %s', async (method, path, body = undefined as unknown) => {
    const answer = await send(method, path, body === undefined ? {} : { body });
    expect([answer.status, answer.body]).toEqual([404, { ...fault(), data: { error: answer.body.message } }]);
  });
});

describe('a body that is refused unread', () => {
  test.each([
    ['POST', BATCH],
    ['PATCH', BATCH],
    ['DELETE', BATCH],
    ['POST', `${BATCH}/delete`],
    ['POST', DEFINITIONS],
    ['PUT', `${DEFINITIONS}/Country`],
  ])('of %s %s: past the limit it is a 413, of another type a 415, of none a 400', async (method, path) => {
    const large = await send(method, path, { body: { resources: [{ externalId: 'x'.repeat(BODY_LIMIT) }] } });
    expect([large.status, large.body]).toEqual([413, fault()]);
    for (const [type, more] of [
      ['text/plain'],
      ['application/x-www-form-urlencoded'],
      ['application/jsonx'],
      ['application/json', { 'content-encoding': 'gzip' }],
    ] as const) {
      const other = await send(method, path, { body: '{}', headers: { 'content-type': type, ...more } });
      expect([type, other.status, other.body]).toEqual([type, 415, fault()]);
    }
    const untyped = await drover.app.request(path, { method, body: new Uint8Array([0x7b, 0x7d]) });
    expect(untyped.status).toBe(400);
  });

  test('may be up to 16 MiB, and of type application/json with any parameter', async () => {
    expect(loadConfig({}).BODY_LIMIT_BYTES).toBe(16 * 1024 * 1024);
    expect(
      (
        await send('POST', BATCH, {
          body: { resources },
          headers: { 'content-type': 'Application/JSON; charset=utf-8' },
        })
      ).status,
    ).toBe(202);
  });
});

describe('schema definitions', () => {
  test('are 201, 200 and 409 in their envelopes', async () => {
    const definition = {
      id: ID,
      name: 'Thing',
      pluralName: 'Things',
      description: 'Anything',
      externalIdField: 'code',
      schema: { type: 'object', properties: { of: { $ref: 'reach:schemas/Country' } } },
      versionNumber: 1,
      referenceSchemas: ['Country'],
      createdAt: DATE,
      updatedAt: DATE,
    };
    const { name, pluralName, description, externalIdField, schema } = definition;
    const created = await send('POST', DEFINITIONS, {
      body: { name, pluralName, description, externalIdField, schema },
    });
    expect([created.status, created.body]).toEqual([201, success(definition)]);
    for (const taken of [{ name: 'THING' }, { name: 'things' }, { name: 'other', pluralName: 'thing' }]) {
      const answer = await send('POST', DEFINITIONS, { body: { ...taken, schema: { type: 'object' } } });
      expect([answer.status, answer.body]).toEqual([409, fault()]);
    }
    const read = await send('GET', `${DEFINITIONS}/tHINGS`);
    expect([read.status, read.body.data]).toEqual([200, created.body.data]);
    const list = await send('GET', DEFINITIONS);
    expect([list.status, list.body]).toEqual([
      200,
      success({
        results: [created.body.data, expect.objectContaining({ name: 'Country' })],
        pagination: { ...END_OF_LIST, total: 2 },
      }),
    ]);
    const changed = await send('PUT', `${DEFINITIONS}/thing`, {
      body: { ...created.body.data, description: 'Something' },
    });
    expect([changed.status, changed.body]).toEqual([
      200,
      success({ ...created.body.data, description: 'Something', versionNumber: 2, updatedAt: DATE }),
    ]);
    const stuck = await send('PUT', `${DEFINITIONS}/Country`, {
      body: { schema: { type: 'object', required: ['flag'] } },
    });
    expect([stuck.status, stuck.body]).toEqual([
      409,
      { ...fault(), message: expect.stringMatching(/\d+ would be invalid/) },
    ]);
    const used = await send('DELETE', `${DEFINITIONS}/Country`);
    expect([used.status, used.body]).toEqual([
      409,
      { ...fault(), message: expect.stringMatching(/^1 other schema definition/) },
    ]);
    const gone = await send('DELETE', `${DEFINITIONS}/${created.body.data.id}`);
    expect([gone.status, gone.body]).toEqual([200, success(changed.body.data)]);
  });
});

describe('resources', () => {
  const resource = (externalId: string, data: object) => ({
    id: ID,
    schemaDefinitionId: countryId,
    resourceExternalId: externalId,
    data: { externalId, ...data },
    versionNumber: 1,
    createdAt: DATE,
    updatedAt: DATE,
    lastWrite: { batchId: ID, index: expect.any(Number) },
  });

  test('are 200 in their envelopes, lowest external id first', async () => {
    const germany = resource('DE', { name: 'Germany' });
    const list = await send('GET', '/api/resources/countries?limit=&cursor=');
    const all = [germany, resource('FR', { name: 'France', borders: ['DE'] }), resource('IS', { name: 'Iceland' })];
    expect([list.status, list.body]).toEqual([
      200,
      success({ results: all, pagination: { ...END_OF_LIST, total: 3 } }),
    ]);
    const first = await send('GET', '/api/resources/countries?limit=2');
    expect(first.body.data.pagination).toEqual({ hasNextPage: true, total: 3, cursor: TEXT });
    const one = await send('GET', '/api/resources/COUNTRY/DE');
    expect([one.status, one.body]).toEqual([200, success(germany)]);
    const references = await send('GET', '/api/resources/country/DE/references');
    const referrer = {
      id: ID,
      schemaDefinitionId: countryId,
      schemaName: 'Country',
      resourceExternalId: 'FR',
      fields: ['/borders/0'],
      fieldsTotal: 1,
    };
    expect([references.status, references.body]).toEqual([
      200,
      success({ results: [referrer], pagination: { ...END_OF_LIST, total: 1 } }),
    ]);
  });
});

describe('a batch', () => {
  const shape = (more: object) => ({
    batchId: ID,
    batchType: 'PARTNER_RESOURCE_JSON_INGEST',
    operation: 'upload',
    suspended: false,
    schemaDefinitionId: countryId,
    schemaName: 'Country',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    createdAt: DATE,
    startedAt: DATE,
    ...more,
  });
  const none = { queued: 0, pending: 0, succeeded: 0, failed: 0, expired: 0, skipped: 0, cancelled: 0 };
  const nothing = { created: 0, updated: 0, unchanged: 0, deleted: 0, cascaded: 0 };

  test('that has succeeded is answered with its counts', async () => {
    const answer = await send('GET', `/api/batches/${batches.success}?includePendingDetails=`);
    const counts = { ...none, succeeded: 2 };
    const batch = shape({
      status: 'success',
      counts,
      progress: progressOf(counts),
      actions: { ...nothing, created: 2 },
      completedAt: DATE,
      source: 'store',
    });
    expect([answer.status, answer.body]).toEqual([200, success(batch)]);
  });

  test('that has failed items names them and their errors', async () => {
    const { body } = await send('GET', `/api/batches/${batches.partial}?includePendingDetails=true`);
    const counts = { ...none, succeeded: 1, failed: 2 };
    expect(body.data).toEqual(
      shape({
        status: 'partial_success',
        counts,
        progress: {
          totalRecords: 3,
          processedRecords: 3,
          successfulRecords: 1,
          pendingRecords: 0,
          failedRecords: 2,
          successRate: 1 / 3,
        },
        actions: { ...nothing, created: 1 },
        completedAt: DATE,
        errors: { summary: { required_field: 1, validation: 1 }, details: { 1: TEXT, 2: TEXT }, message: TEXT },
        pendingResources: [],
        pendingResourcesTotal: 0,
        source: 'store',
      }),
    );
  });

  test('that waits names the missing references and the deadline', async () => {
    const { body } = await send('GET', `/api/batches/${batches.waiting}?includePendingDetails=true`);
    const counts = { ...none, pending: 1 };
    const pending = {
      id: ID,
      resourceExternalId: 'PL',
      schemaDefinitionId: countryId,
      schemaName: 'Country',
      expiresAt: DATE,
      createdAt: DATE,
      missingDependencies: [{ schemaDefinitionId: countryId, schemaName: 'Country', externalId: 'CZ' }],
      missingTotal: 1,
    };
    expect(body.data).toEqual(
      shape({
        status: 'waiting',
        options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 600 },
        counts,
        progress: {
          totalRecords: 1,
          processedRecords: 0,
          successfulRecords: 0,
          pendingRecords: 1,
          failedRecords: 0,
          successRate: 0,
        },
        actions: nothing,
        pendingUntil: body.data.pendingResources[0].expiresAt,
        pendingResources: [pending],
        pendingResourcesTotal: 1,
        source: 'workflow',
      }),
    );
    const again = await send('GET', `/api/batches/${batches.waiting}?includePendingDetails=true`);
    expect(again.body.data.pendingResources).toEqual(body.data.pendingResources);
    for (const query of ['', '?includePendingDetails=false']) {
      expect((await send('GET', `/api/batches/${batches.waiting}${query}`)).body.data).not.toHaveProperty(
        'pendingResources',
      );
    }
  });

  test('shows the first 100 of its errors', async () => {
    const own = new Tenant(drover);
    const { batch } = await own.uploaded(
      'Country',
      many(130, (n) => ({ externalId: `e${n}` })),
    );
    expect(Object.keys(batch.errors?.details ?? {})).toEqual(many(100, String));
    expect(batch.errors?.summary).toEqual({ required_field: 130 });
    const [listed] = (await drover.request<{ results: BatchView[] }>('GET', '/api/batches', own)).body.data.results;
    expect(listed).toEqual({ ...batch, pendingResources: undefined, pendingResourcesTotal: undefined });
  });

  test('has counts that add up at every moment; it is queued first and finished last', async () => {
    const own = new Tenant(drover);
    const stages: Partial<Record<BatchStatus, number>> = { queued: 0, processing: 1, waiting: 1, partial_success: 2 };
    const id = await own.upload(
      'Country',
      many(300, (n) => ({
        externalId: `c${n}`,
        ...(n % 10 !== 0 && { name: 'x' }),
        ...(n % 7 === 0 && { borders: [`c${n + 1}`] }),
      })),
      { dependencyWaitTimeout: 1 },
    );
    let stage = 0;
    const ended = await drover.until(
      id,
      ({ counts, progress, status, completedAt }) => {
        expect(progress).toEqual(progressOf(counts));
        expect(progress.totalRecords).toBe(300);
        expect(stages[status]).toBeGreaterThanOrEqual(stage);
        stage = stages[status] ?? 0;
        if (status === 'waiting')
          expect(counts).toMatchObject({ queued: 0, pending: expect.toSatisfy((pending: number) => pending > 0) });
        return completedAt !== undefined;
      },
      own,
    );
    expect(ended).toMatchObject({
      status: 'partial_success',
      counts: { queued: 0, pending: 0, expired: expect.any(Number) },
    });
  });

  test('is controlled with 200 and the batch, retried with 202, and 409 where its state does not allow it', async () => {
    const act = (verb: string, id: string) => send('POST', `/api/batches/${id}/${verb}`);
    for (const [verb, suspended] of [
      ['suspend', true],
      ['suspend', true],
      ['resume', false],
      ['resume', false],
    ] as const) {
      const answer = await act(verb, batches.suspended);
      expect([verb, answer.status, answer.body]).toEqual([
        verb,
        200,
        success(expect.objectContaining({ batchId: batches.suspended, suspended, status: 'waiting' })),
      ]);
    }
    const early = await act('retry', batches.suspended);
    expect([early.status, early.body]).toEqual([409, fault()]);
    for (const verb of ['suspend', 'resume', 'cancel', 'retry']) {
      const answer = await act(verb, batches.success);
      expect([verb, answer.status, answer.body]).toEqual([verb, 409, fault()]);
    }
    const retried = await act('retry', batches.partial);
    expect([retried.status, retried.body]).toEqual([
      202,
      success(
        expect.objectContaining({ batchId: batches.partial, status: expect.stringMatching(/queued|processing/) }),
      ),
    ]);
    expect(retried.body.data).not.toHaveProperty('completedAt');
    expect(await tenant.ended(batches.partial)).toMatchObject({
      status: 'partial_success',
      counts: { succeeded: 1, failed: 2 },
    });
    expect((await tenant.items(batches.partial)).map((item) => item.attempts)).toEqual([1, 2, 2]);
    const cancelled = await act('cancel', batches.suspended);
    expect([cancelled.status, cancelled.body]).toEqual([
      200,
      success(expect.objectContaining({ batchId: batches.suspended })),
    ]);
    const ended = await tenant.ended(batches.suspended);
    expect(ended).toMatchObject({
      status: 'cancelled',
      counts: { pending: 0, cancelled: 1 },
      errors: { summary: { cancelled: 1 } },
    });
    const again = await act('cancel', batches.suspended);
    expect([again.status, again.body.data]).toEqual([
      200,
      { ...ended, pendingResources: undefined, pendingResourcesTotal: undefined },
    ]);
  });

  test('that was undoable is undone by another one, once', async () => {
    const { batch } = await tenant.uploaded('Country', [{ externalId: 'XX', name: 'Nowhere' }], { undoable: true });
    const preview = await send('POST', `/api/batches/${batch.batchId}/undo?dryRun=true`);
    expect([preview.status, preview.body.data]).toMatchObject([
      200,
      { dryRun: true, actions: { reverted: 1 }, items: [{ externalId: 'XX', action: 'reverted' }], itemsTotal: 1 },
    ]);
    const undo = await send('POST', `/api/batches/${batch.batchId}/undo`);
    expect([undo.status, undo.body.data]).toMatchObject([
      202,
      { batchId: ID, batchType: 'BATCH_UNDO', operation: 'undo', options: { undoOf: batch.batchId } },
    ]);
    expect(await tenant.ended(undo.body.data.batchId)).toMatchObject({ actions: { ...nothing, reverted: 1 } });
    const again = await send('POST', `/api/batches/${batch.batchId}/undo`);
    expect([again.status, again.body]).toEqual([409, fault()]);
  });

  test('is watched as server-sent events; a client that has seen the last one gets a 204', async () => {
    const path = `/api/batches/${batches.success}/events`;
    const response = await drover.app.request(path, { headers: { 'reach-tenant-id': tenant.tenant } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const text = await response.text();
    const [, id] = /^id: (.+)$/m.exec(text) ?? [];
    const [, data = ''] = /^data: (.+)$/m.exec(text) ?? [];
    expect(text).toMatch(/^event: batch$/m);
    expect(JSON.parse(data)).toEqual((await send('GET', `/api/batches/${batches.success}`)).body.data);
    const seen = await drover.app.request(path, {
      headers: { 'reach-tenant-id': tenant.tenant, 'last-event-id': id ?? '' },
    });
    expect(seen.status).toBe(204);
  });

  test('is removed with 200, and is a 404 from then on', async () => {
    const { batch } = await tenant.uploaded('Country', resources);
    const gone = await send('DELETE', `/api/batches/${batch.batchId}`);
    expect([gone.status, gone.body]).toEqual([200, success({ batchId: batch.batchId })]);
    expect((await send('DELETE', `/api/batches/${batch.batchId}`)).status).toBe(404);
    expect((await send('GET', '/api/resources/Country/DE')).status).toBe(200);
  });
});

describe('Extracta', () => {
  const ask = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await drover.app.request(EXTRACTA, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json', 'reach-tenant-id': tenant.tenant, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };

  test('deletes a batch of a classification with 200, and answers 400 in its shape to everything else', async () => {
    const { batch } = await tenant.uploaded('Country', resources);
    const { batchId } = batch;
    const wrong = [
      {},
      '{',
      'null',
      { classificationId: 'Country' },
      { batchId },
      { classificationId: '', batchId },
      { classificationId: 5, batchId },
      { classificationId: 'nothing', batchId },
      { classificationId: 'Country', batchId: NEVER },
    ];
    for (const body of wrong)
      expect([body, ...(await ask(body))]).toEqual([body, 400, { status: 'error', message: TEXT }]);
    expect(await ask({ classificationId: 'Country', batchId }, { 'content-type': 'text/plain' })).toEqual([
      400,
      { status: 'error', message: TEXT },
    ]);
    expect(await ask({ classificationId: 'Country', batchId }, { 'reach-tenant-id': 'somebody else' })).toEqual([
      400,
      { status: 'error', message: TEXT },
    ]);
    expect(await ask({ classificationId: 'countries', batchId })).toEqual([
      200,
      { status: 'success', message: 'Batch deleted' },
    ]);
    expect(await ask({ classificationId: 'Country', batchId })).toEqual([400, { status: 'error', message: TEXT }]);
  });
});

describe("what Reach's clients are generated from", () => {
  const accepted = {
    type: 'object',
    properties: {
      success: { type: 'boolean' },
      message: { type: 'string' },
      data: {
        type: 'object',
        properties: {
          batchId: { type: 'string' },
          message: { type: 'string' },
          recordCount: { type: 'number' },
          schemaDefinitionId: { type: 'string' },
        },
        required: ['batchId', 'message', 'recordCount', 'schemaDefinitionId'],
      },
    },
    required: ['success'],
  };
  const badRequest = {
    type: 'object',
    properties: {
      success: { type: 'boolean', enum: [false] },
      message: { type: 'string' },
      errors: { type: 'array', items: { type: 'string' } },
    },
    required: ['message'],
  };
  const notFound = {
    type: 'object',
    properties: {
      success: { type: 'boolean' },
      message: { type: 'string' },
      data: { type: 'object', properties: { error: { type: 'string' } }, required: ['error'] },
    },
    required: ['success'],
  };
  const ajv = new Ajv2020({ strict: false });

  test.each([
    ['POST', { resources }, { resources: 5 }],
    ['PATCH', { resources }, { resources: 5 }],
    ['DELETE', { externalIds: ['nobody'] }, {}],
  ])('%s answers in their shapes', async (method, right, wrong) => {
    for (const [status, schema, path, body] of [
      [202, accepted, BATCH, right],
      [400, badRequest, BATCH, wrong],
      [404, notFound, '/api/resources/nothing/batch', right],
    ] as const) {
      const answer = await send(method, path, { body });
      expect(answer.status).toBe(status);
      expect([answer.body, ajv.validate(schema, answer.body)]).toEqual([answer.body, true]);
    }
  });
});

describe('the OpenAPI document', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a document of any shape
  const load = async (): Promise<any> => (await drover.app.request('/openapi.json')).json();

  test('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    expect(await validator.validate(await load())).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  test('names each operation once, with the tenant header and the answers that every route can give', async () => {
    const document = await load();
    const names = conformance.operations.map((operation) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const [path, methods] of Object.entries<
      Record<string, { parameters: { name: string }[]; responses: object; security: object[] }>
    >(document.paths)) {
      for (const operation of Object.values(methods)) {
        // health, readiness and metrics belong to no tenant
        if (!operation.security.some((scheme) => 'token' in scheme)) continue;
        expect([path, operation.parameters.map((parameter) => parameter.name)]).toEqual([
          path,
          expect.arrayContaining(['reach-tenant-id']),
        ]);
        const statuses = path === EXTRACTA ? ['400', '401', '500'] : ['400', '401', '403', '429', '500', '503'];
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(statuses));
      }
    }
  });

  test('has the answers of health, readiness, metrics, the installation, the system and a session', async () => {
    expect(await (await drover.app.request('/healthz')).json()).toEqual({ status: 'ok' });
    expect(await (await drover.app.request('/readyz?verbose')).json()).toEqual({
      status: 'ok',
      mongodb: 'ok',
      temporal: 'ok',
    });
    const { data } = (await (await drover.app.request('/partner/installation')).json()) as {
      data: { workers: object[] };
    };
    expect(data).toMatchObject({ version: expect.stringMatching(/^\d+\./), temporal: expect.stringMatching(/^\d+\./) });
    expect(data.workers).toContainEqual({ identity: expect.any(String), lastSeenAt: expect.any(String) });
    expect(await (await drover.app.request('/metrics')).text()).toContain('# TYPE drover_http_requests_total counter');
    for (const path of ['/api/system', '/api/session', '/api/throughput'])
      expect((await drover.request('GET', path)).status).toBe(200);
  });

  test('describes the answers that tests have seen: every success, 404 and 409 that it names occurred', () => {
    // the answers of the Camunda façade are in test/api/camunda, those about imports in test/api/routes/imports, others in test/end-to-end
    const elsewhere =
      /^\/(engine-rest|api\/(imports|webhooks|bulk-operations|batches\/(cancel|suspend|resume|retry|delete)))(\/|$)/;
    const operations = conformance.operations.filter(({ path }) => !elsewhere.test(path));
    const expected = operations.flatMap(({ operationId, responses }) =>
      Object.keys(responses)
        .filter((status) => status.startsWith('2') || ['404', '409', '413', '415', '422'].includes(status))
        .map((status) => `${operationId} ${status}`),
    );
    expect(expected.length).toBeGreaterThan(50);
    expect(expected.filter((one) => !conformance.seen.has(one))).toEqual([]);
  });

  test('has a page that loads nothing from other hosts', async () => {
    const page = await drover.app.request('/docs');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    const sources = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source ?? '');
    expect(sources.length).toBeGreaterThan(2);
    for (const source of sources) {
      const asset = await drover.app.request(new URL(source, 'http://localhost/docs').pathname);
      expect([source, source.includes('//'), asset.status]).toEqual([source, false, 200]);
    }
  });
});

test('a path that exists with other methods is a 405 that names them; another path a 404', async () => {
  for (const [method, path, allow] of [
    ['DELETE', '/api/batches', 'GET, HEAD'],
    ['PUT', '/api/resources/lamp/batch', 'DELETE, GET, HEAD, PATCH, POST'],
    ['POST', '/api/batches/some-batch', 'DELETE, GET, HEAD'],
  ] as const) {
    const answer = await drover.app.request(path, { method });
    expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, allow]);
    expect(await answer.json()).toEqual({ success: false, message: `${path} has no such method: ${allow}` });
  }
  expect((await drover.app.request('/api/batch', { method: 'DELETE' })).status).toBe(404);
});
