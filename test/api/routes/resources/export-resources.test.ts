import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupsIn } from '../../../../isolation/groups/groups.ts';
import { allResources } from '../../../../isolation/resources/resource-pages.ts';
import { type ResourceDocument, resourcesIn } from '../../../../store/resources.ts';
import { OwnApi } from '../../own-api.ts';

let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
  await api.define('country', { name: {}, borders: { items: { $ref: 'reach:schemas/country' } } });
  await api.define('city', {
    in: { $ref: 'reach:schemas/country' },
    position: { type: 'object', properties: { latitude: { type: 'number' }, longitude: { type: 'number' } } },
  });
});
afterAll(() => api.close());

const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';

async function exported(path: string, accept: string, tenant = 'default', method = 'GET') {
  const headers = { accept, 'reach-tenant-id': tenant };
  const response = await api.app.request(`/api/resources/${path}`, { method, headers });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

describe('GET /api/resources/{schema} as a stream', () => {
  it('has the data of all resources that readers see, by external id, as lines that can be uploaded again', async () => {
    const bodies = Array.from({ length: 1_234 }, (_, n) => ({
      externalId: `c${String(n).padStart(5, '0')}`,
      name: `a\u2028b ${n}`,
    }));
    for (let at = 0; at < bodies.length; at += 500) await api.store('country', bodies.slice(at, at + 500), 'all');
    await api.store('country', [{ externalId: 'other' }], 'others');
    const resources = resourcesIn(api.services.database);
    await resources.updateOne({ externalId: 'c00001' }, { $set: { hidden: 'open' } });
    await resources.updateOne({ externalId: 'c00002' }, { $set: { leaving: { batchId: 'x', group: 'gone' } } });
    await groupsIn(api.services.database).insertOne({ _id: 'gone', state: 'committed', at: new Date() });
    const { status, type, text } = await exported('country', NDJSON, 'all');
    expect([status, type]).toEqual([200, NDJSON]);
    expect(text).not.toContain('\u2028');
    const lines = text.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(bodies.filter((_, n) => n !== 1 && n !== 2));
  });

  it('has no lines where there are no resources, and a header in CSV', async () => {
    expect(await exported('country', NDJSON, 'empty')).toEqual({ status: 200, type: NDJSON, text: '' });
    const { type, text } = await exported('country', CSV, 'empty');
    expect([type, text]).toEqual(['text/csv; charset=utf-8; header=present', '"externalId","name","borders"\n']);
  });

  it('has nested fields as columns in CSV', async () => {
    await api.store('country', [{ externalId: 'X' }], 'csv');
    await api.store(
      'city',
      [
        { externalId: 'a', in: 'X', position: { latitude: 1.5, longitude: -0 } },
        { externalId: 'b', position: { latitude: 1, height: 2 } },
      ],
      'csv',
    );
    expect((await exported('city', CSV, 'csv')).text).toBe(
      [
        '"externalId","in","position.latitude","position.longitude","position"',
        '"a","X",1.5,-0,',
        '"b",,,,"{""latitude"":1,""height"":2}"',
        '',
      ].join('\n'),
    );
  });

  it('has id, version and dates beside the data if that is asked for', async () => {
    const [document] = await api.store('country', [{ externalId: 'X', name: 'x' }], 'envelope');
    const { text } = await exported('country?envelope=true', NDJSON, 'envelope');
    const at = document?.createdAt.toISOString();
    expect(JSON.parse(text)).toEqual(
      (await api.send('GET', '/api/resources/country/X', undefined, 'envelope')).body.data,
    );
    expect((await exported('country?envelope=true', CSV, 'envelope')).text).toBe(
      `"externalId","name","borders","_id","_versionNumber","_createdAt","_updatedAt"\n"X","x",,"${document?.id}",1,"${at}","${at}"\n`,
    );
  });

  it('takes no page, and a page no envelope', async () => {
    for (const query of ['?limit=5', '?cursor=x', '?limit=5&cursor=x'])
      expect(await exported(`country${query}`, CSV)).toMatchObject({ status: 400 });
    expect(await exported('country?envelope=true', 'application/json')).toMatchObject({ status: 400 });
    expect(await exported('country?envelope=yes', CSV)).toMatchObject({ status: 400 });
    expect(await exported('nothing', CSV)).toMatchObject({ status: 404 });
  });

  it('starts nothing for a HEAD', async () => {
    expect(await exported('country', CSV, 'all', 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  it('goes on where it was for a reader that has stopped for so long that its cursor was closed', async () => {
    const bodies = Array.from({ length: 1_400 }, (_, n) => ({ externalId: `${10_000 + n}` }));
    for (let at = 0; at < bodies.length; at += 700) await api.store('country', bodies.slice(at, at + 700), 'slow');
    const { id } = (await api.send('GET', '/partner/schema-definitions/country')).body.data;
    const { database } = api.services;
    const parts = allResources(database, { platform: 'default', tenant: 'slow' }, id, 1);
    const seen = ((await parts.next()).value ?? []).map(({ externalId }: ResourceDocument) => externalId);
    expect(seen).toHaveLength(500);
    await new Promise((resolve) => setTimeout(resolve, 50));
    // what is stored behind its place is read by the next cursor
    await api.store('country', [{ externalId: '10500x' }], 'slow');
    for await (const part of parts) seen.push(...part.map(({ externalId }) => externalId));
    expect(seen).toEqual([...bodies.map(({ externalId }) => externalId), '10500x'].toSorted());
  });
});

describe('GET /api/resources/{schema}/{externalId}?include=', () => {
  const include = (path: string, tenant: string) => api.send('GET', `/api/resources/${path}`, undefined, tenant);

  it('adds the resources that these fields refer to, each once', async () => {
    await api.store(
      'country',
      [{ externalId: 'A' }, { externalId: 'B', borders: ['A', 'B', 'A', 'C'] }, { externalId: 'C' }],
      'inc',
    );
    await api.store('city', [{ externalId: 'c', in: 'B' }, { externalId: 'none' }], 'inc');
    const { body } = await include('country/B?include=borders', 'inc');
    expect(body.data).toMatchObject({ resourceExternalId: 'B', includedTotal: 3 });
    const own = (await include('country/A', 'inc')).body.data;
    expect(body.data.included[0]).toEqual(own);
    expect(body.data.included.map((one: { resourceExternalId: string }) => one.resourceExternalId)).toEqual([
      'A',
      'B',
      'C',
    ]);
    expect((await include('city/c?include=in', 'inc')).body.data.included).toMatchObject([
      { data: { externalId: 'B' } },
    ]);
    expect((await include('city/none?include=in', 'inc')).body.data).toMatchObject({ included: [], includedTotal: 0 });
    expect((await include('city/c?include=', 'inc')).body.data).not.toHaveProperty('included');
  });

  it('adds a hundred at most, no more than fit, and says how many there are', async () => {
    const ids = Array.from({ length: 120 }, (_, n) => `n${n}`);
    await api.store(
      'country',
      [...ids.map((externalId) => ({ externalId })), { externalId: 'hub', borders: ids }],
      'many',
    );
    const { body } = await include('country/hub?include=borders', 'many');
    expect([body.data.included.length, body.data.includedTotal]).toEqual([100, 120]);
    const large = ids.slice(0, 5).map((externalId) => ({ externalId, name: 'x'.repeat(2 * 1024 * 1024) }));
    await api.store('country', [...large, { externalId: 'hub', borders: ids.slice(0, 5) }], 'large');
    const few = await include('country/hub?include=borders', 'large');
    expect([few.body.data.included.length, few.body.data.includedTotal]).toEqual([1, 5]);
  });

  it('refuses a field that refers to nothing, and names those that do', async () => {
    await api.store('country', [{ externalId: 'A' }], 'bad');
    const { status, body } = await include('country/A?include=borders,name,nothing', 'bad');
    expect([status, body.errors]).toEqual([
      400,
      [
        'include: "name" is not a reference field of "country"; it has "borders"',
        'include: "nothing" is not a reference field of "country"; it has "borders"',
      ],
    ]);
  });
});
