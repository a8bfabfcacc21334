import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../../domain/write/resource.ts';
import { resourcesIn } from '../../../../store/resources.ts';
import { OwnApi } from '../../own-api.ts';

const path = '/partner/schema-definitions';
let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
});
afterAll(() => api.close());

const object = (properties: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  type: 'object',
  properties,
  ...more,
});

describe('POST /partner/schema-definitions', () => {
  it('warns of a schema that no resource can fit', async () => {
    const schema = { type: 'object', allOf: [{ properties: { a: {} }, additionalProperties: false }] };
    const { status, body } = await api.send('POST', '/partner/schema-definitions', { name: 'unfittable', schema });
    expect(status).toBe(201);
    expect(body.warnings).toEqual([
      expect.stringMatching(/^\/schema\/allOf\/0\/additionalProperties: no resource can fit/),
    ]);
    // the warning is repeated when nothing changes
    const same = await api.send('PUT', '/partner/schema-definitions/unfittable', { schema });
    expect([same.status, same.body.data.versionNumber, same.body.warnings]).toEqual([200, 1, body.warnings]);
    const put = { schema: { type: 'object' } };
    expect((await api.send('PUT', '/partner/schema-definitions/unfittable', put)).body).not.toHaveProperty('warnings');
  });

  it('takes ids in any case, and no name that has the form of an id', async () => {
    const id = await api.define('cased');
    await api.define('caser', { of: { $ref: `reach:schemas/${id.toUpperCase()}` } });
    const found = await api.send('GET', `/partner/schema-definitions/${id.toUpperCase()}`);
    expect(found.body.data).toMatchObject({ id, name: 'cased' });
    // a reference by id, in any case, prevents its deletion
    expect((await api.send('DELETE', `/partner/schema-definitions/${id.toUpperCase()}`)).status).toBe(409);
    const schema = { type: 'object' };
    const named = await api.send('POST', '/partner/schema-definitions', { name: id.toUpperCase(), schema });
    expect([named.status, named.body.errors]).toEqual([400, ['/name: must not look like an id (a UUID)']]);
    const plural = await api.send('POST', '/partner/schema-definitions', { name: 'plain', pluralName: id, schema });
    expect([plural.status, plural.body.errors]).toEqual([400, ['/pluralName: must not look like an id (a UUID)']]);
  });

  it('answers 201 with the definition and its references', async () => {
    const schema = object({ country: { $ref: 'reach:schemas/Land' }, 'a.b': { type: 'string' }, $set: {} });
    const { status, body } = await api.send('POST', path, {
      name: 'City',
      pluralName: 'Cities',
      description: 'A city',
      schema,
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      success: true,
      message: expect.any(String),
      data: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        name: 'City',
        pluralName: 'Cities',
        description: 'A city',
        externalIdField: 'externalId',
        schema,
        versionNumber: 1,
        referenceSchemas: ['Land'],
        createdAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
        updatedAt: expect.any(String),
      },
    });
    for (const nameOrId of [body.data.id, 'city', 'CITIES', 'City']) {
      expect((await api.send('GET', `${path}/${nameOrId}`)).body.data).toEqual(body.data);
    }
  });

  it('names each fault by its JSON pointer, in a 400', async () => {
    const schema = object({ a: { type: 'strng' }, b: { minLength: 'x' } });
    const { status, body } = await api.send('POST', path, { name: 'no spaces', schema });
    expect(status).toBe(400);
    expect(body.errors.map((error: string) => error.split(':')[0])).toEqual([
      '/name',
      '/schema/properties/a/type',
      '/schema/properties/b/minLength',
    ]);
    for (const bad of ['[]', '"x"', 'null', '5', '{', '{}']) {
      expect(await api.send('POST', path, bad)).toMatchObject({ status: 400, body: { success: false } });
    }
  });

  it('gives a name to one of many concurrent requests, in any case', async () => {
    const asked = Array.from({ length: 10 }, (_, i) => ({ name: i % 2 ? 'raced' : 'RACED', schema: object() }));
    const answers = await Promise.all(asked.map((request) => api.send('POST', path, request)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, ...Array(9).fill(409)]);
    expect(await api.send('POST', path, { name: 'other', pluralName: 'Raced', schema: object() })).toMatchObject({
      status: 409,
    });
    expect(await api.send('POST', path, { name: 'other', schema: object() })).toMatchObject({ status: 201 });
  });

  it('stores and returns __proto__ and constructor unchanged', async () => {
    const text =
      '{"name":"odd","schema":{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{}}}}';
    const { body } = await api.send('POST', path, text);
    expect(JSON.stringify(body.data.schema)).toBe(
      '{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{}}}',
    );
  });
});

describe('GET /partner/schema-definitions', () => {
  it('pages newest first, stable while definitions arrive, and ends with a null cursor', async () => {
    const own = await OwnApi.open();
    const names = ['p1', 'p2', 'p3', 'p4', 'p5'];
    for (const name of names) await own.define(name);
    const first = await own.send('GET', `${path}?limit=2`);
    expect(first.body.data.pagination).toMatchObject({ hasNextPage: true, total: 5 });
    await own.define('late');
    const seen = [...first.body.data.results];
    for (let { cursor } = first.body.data.pagination; cursor !== null; ) {
      const { body } = await own.send('GET', `${path}?limit=2&cursor=${cursor}`);
      seen.push(...body.data.results);
      cursor = body.data.pagination.cursor;
    }
    expect(seen.map((definition) => definition.name)).toEqual(names.toReversed());
    await own.close();
  });

  it('refuses a cursor that was not issued here, and a limit out of range', async () => {
    for (const query of ['cursor=x', 'cursor=WyJhIiwiYiJd', 'limit=0', 'limit=101', 'limit=x']) {
      expect(await api.send('GET', `${path}?${query}`)).toMatchObject({ status: 400 });
    }
  });

  it('answers 404 for a definition that does not exist', async () => {
    expect(await api.send('GET', `${path}/nothing`)).toMatchObject({
      status: 404,
      body: { success: false, data: { error: expect.any(String) } },
    });
    expect(await api.send('GET', `${path}/${encodeURIComponent('../%$x')}`)).toMatchObject({ status: 404 });
  });
});

describe('PUT /partner/schema-definitions/{nameOrId}', () => {
  it('lets compatible changes through, one version at a time', async () => {
    await api.define('loose', { n: { type: 'integer' } });
    await api.store('loose', [{ externalId: 'a', n: 1 }]);
    const next = { schema: object({ n: { type: ['integer', 'string'] }, more: {} }), description: 'now looser' };
    const { status, body } = await api.send('PUT', `${path}/loose`, next);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      name: 'loose',
      versionNumber: 2,
      description: 'now looser',
      schema: next.schema,
    });
    expect((await api.send('PUT', `${path}/loose`, { ...body.data })).body.data.versionNumber).toBe(2);
    expect((await api.send('PUT', `${path}/LOOSE`, { schema: next.schema })).body.data).not.toHaveProperty(
      'description',
    );
  });

  it('accepts the answer of a GET, and ignores none of its fields', async () => {
    await api.define('there', { a: { $ref: 'reach:schemas/land-of-back' } });
    const { data } = (await api.send('GET', `${path}/there`)).body;
    const same = await api.send('PUT', `${path}/there`, data);
    expect([same.status, same.body.data]).toEqual([200, data]);
    expect((await api.send('PUT', `${path}/there`, { ...data, id: data.id.toUpperCase() })).status).toBe(200);
    const wrong = {
      id: 'another',
      createdAt: '2020-01-01T00:00:00.000Z',
      referenceSchemas: ['x'],
      versionNumber: '1',
    };
    const refused = await api.send('PUT', `${path}/there`, { ...data, ...wrong });
    expect([refused.status, refused.body.errors]).toEqual([
      400,
      [
        '/id: cannot be changed',
        '/createdAt: cannot be changed',
        '/referenceSchemas: follow from the schema: leave them out',
        '/versionNumber: must be an integer',
      ],
    ]);
    for (const stale of [{ versionNumber: 2 }, { updatedAt: '2020-01-01T00:00:00.000Z' }])
      expect((await api.send('PUT', `${path}/there`, { ...data, ...stale })).status).toBe(409);
    // a new schema may come with the references of the old one, or with its own
    const schema = object({ b: { $ref: 'reach:schemas/land-of-back' }, c: { $ref: 'reach:schemas/there' } });
    const changed = await api.send('PUT', `${path}/there`, { ...data, schema });
    expect([changed.status, changed.body.data.referenceSchemas]).toEqual([200, ['land-of-back', 'there']]);
    const { referenceSchemas } = changed.body.data;
    expect((await api.send('PUT', `${path}/there`, { schema: object(), referenceSchemas: [] })).status).toBe(200);
    expect((await api.send('PUT', `${path}/there`, { schema, referenceSchemas })).body.data.versionNumber).toBe(4);
  });

  it('accepts one of several concurrent changes that are based on the same GET', async () => {
    await api.define('edited');
    const { data } = (await api.send('GET', `${path}/edited`)).body;
    const edits = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        api.send('PUT', `${path}/edited`, { ...data, schema: object({ [`f${n}`]: {} }) }),
      ),
    );
    expect(edits.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
    for (const { status } of edits) expect([200, 409, 503]).toContain(status);
    expect((await api.send('GET', `${path}/edited`)).body.data.versionNumber).toBe(2);
  });

  it('refuses another name, pluralName or externalIdField', async () => {
    await api.send('POST', path, { name: 'fixed', pluralName: 'fixeds', schema: object() });
    const all = { name: 'x', pluralName: 'y', externalIdField: 'z', schema: object() };
    const { status, body } = await api.send('PUT', `${path}/fixed`, all);
    expect(status).toBe(400);
    expect(body.errors.map((error: string) => error.split(':')[0])).toEqual([
      '/name',
      '/pluralName',
      '/externalIdField',
    ]);
    expect(
      await api.send('PUT', `${path}/fixed`, { name: 'FIXED', pluralName: 'Fixeds', schema: object() }),
    ).toMatchObject({ status: 200 });
    expect(await api.send('PUT', `${path}/missing`, { schema: object() })).toMatchObject({ status: 404 });
  });

  it('says how many resources of all tenants would be invalid, with an example', async () => {
    await api.define('strict', { n: {} });
    await api.store('strict', [
      { externalId: 'ok', n: 1 },
      { externalId: 'bad', n: 'x' },
    ]);
    await api.store('strict', [{ externalId: 'worse', n: 'secret' }], 'other');
    const refused = await api.send('PUT', `${path}/strict`, { schema: object({ n: { type: 'integer' } }) });
    expect(refused.status).toBe(409);
    expect(refused.body.message).toMatch(
      /2 would be invalid; for example "(bad|worse)" of tenant "(default|other)": "n" must be integer/,
    );
    expect(refused.body.message).not.toContain('secret');
    expect((await api.send('GET', `${path}/strict`)).body.data).toMatchObject({
      versionNumber: 1,
      schema: object({ n: {} }),
    });
    const required = await api.send('PUT', `${path}/strict`, { schema: object({ n: {} }, { required: ['m'] }) });
    expect(required.body.message).toMatch(/3 would be invalid/);
  });

  it('refuses a new reference to a missing resource, and counts a new reference to an existing one', async () => {
    await api.define('land');
    await api.define('town', { land: { type: 'string' } });
    await api.store('land', [{ externalId: 'DE' }]);
    const [, berlin] = await api.store('town', [
      { externalId: 'paris', land: 'FR' },
      { externalId: 'berlin', land: 'DE' },
    ]);
    const next = { schema: object({ land: { $ref: 'reach:schemas/land' } }) };
    const refused = await api.send('PUT', `${path}/town`, next);
    expect(refused.status).toBe(409);
    expect(refused.body.message).toMatch(/1 would refer to a resource that is not there; for example "paris"/);
    await api.store('land', [{ externalId: 'FR' }]);
    expect(await api.send('PUT', `${path}/town`, next)).toMatchObject({
      status: 200,
      body: { data: { referenceSchemas: ['land'] } },
    });
    const referrers = await api.send('GET', '/api/resources/land/DE/references');
    expect(referrers.body.data.results).toMatchObject([
      { resourceExternalId: 'berlin', schemaName: 'town', fields: ['land'] },
    ]);
    const stored = await resourcesIn(api.services.database).findOne({ _id: berlin?._id ?? '' });
    expect(stored).toMatchObject({ version: 1, data: berlin?.data });
    expect(await api.send('PUT', `${path}/town`, { schema: object({ land: {} }) })).toMatchObject({ status: 200 });
    expect((await api.send('GET', '/api/resources/land/DE/references')).body.data.results).toEqual([]);
  });

  it('refuses a reference to a definition that does not exist while the field has values', async () => {
    await api.define('holder', { to: {} });
    await api.store('holder', [{ externalId: 'a', to: 'x' }]);
    const refused = await api.send('PUT', `${path}/holder`, {
      schema: object({ to: { $ref: 'reach:schemas/not-there' } }),
    });
    expect(refused).toMatchObject({ status: 409 });
    expect(
      await api.send('PUT', `${path}/holder`, {
        schema: object({ to: {}, other: { $ref: 'reach:schemas/not-there' } }),
      }),
    ).toMatchObject({ status: 200 });
  });
});

describe('DELETE /partner/schema-definitions/{nameOrId}', () => {
  it('says how many resources there are, of all tenants, and then deletes the definition', async () => {
    await api.define('doomed');
    const documents = [
      ...(await api.store('doomed', [{ externalId: 'a' }])),
      ...(await api.store('doomed', [{ externalId: 'b' }], 'other')),
    ];
    const refused = await api.send('DELETE', `${path}/doomed`);
    expect(refused).toMatchObject({ status: 409, body: { message: expect.stringContaining('2 resources') } });
    await resourcesIn(api.services.database).deleteMany({ _id: { $in: documents.map((document) => document._id) } });
    expect(await api.send('DELETE', `${path}/DOOMED`)).toMatchObject({ status: 200 });
    expect(await api.send('DELETE', `${path}/doomed`)).toMatchObject({ status: 404 });
    expect(await api.send('GET', '/api/resources/doomed')).toMatchObject({ status: 404 });
    await api.define('doomed');
  });

  it('says which other definitions refer to it, by name or id, not counting itself', async () => {
    const id = await api.define('target', { self: { $ref: 'reach:schemas/target' } });
    await api.define('byName', { a: { items: { $ref: 'reach:schemas/TARGET' } } });
    await api.define('byId', { a: { $ref: `reach:schemas/${id}` } });
    const refused = await api.send('DELETE', `${path}/target`);
    expect(refused).toMatchObject({
      status: 409,
      body: { message: expect.stringMatching(/^2 other schema definitions.*"byName", "byId"/) },
    });
    await api.send('DELETE', `${path}/byName`);
    await api.send('PUT', `${path}/byId`, { schema: object() });
    expect(await api.send('DELETE', `${path}/target`)).toMatchObject({ status: 200 });
  });
});
