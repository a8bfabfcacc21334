import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_ANSWER_BYTES } from '../../../../domain/limits.ts';
import { groupsIn } from '../../../../isolation/groups/groups.ts';
import { resourcesIn } from '../../../../store/resources.ts';
import { leastMs } from '../../../../testkit/measure.ts';
import { OwnApi } from '../../own-api.ts';

let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
  await api.define('country', { name: {}, borders: { items: { $ref: 'reach:schemas/country' } } });
  await api.define('city', {
    in: { $ref: 'reach:schemas/country' },
    via: { properties: { 'a/b': { items: { $ref: 'reach:schemas/country' } } } },
  });
});
afterAll(() => api.close());

async function all(path: string, tenant?: string): Promise<{ resourceExternalId: string }[]> {
  const seen = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await api.send(
      'GET',
      `${path}${path.includes('?') ? '&' : '?'}cursor=${cursor}`,
      undefined,
      tenant,
    );
    expect(status).toBe(200);
    expect(body.data.pagination.hasNextPage).toBe(body.data.pagination.cursor !== null);
    seen.push(...body.data.results);
    cursor = body.data.pagination.cursor;
  }
  return seen;
}

describe('GET /api/resources/{schema}/{externalId}', () => {
  it('answers with the resource as stored', async () => {
    const [document] = await api.store('country', [{ externalId: 'DE', name: 'Germany', 'a.b': 1, $x: { y: null } }]);
    expect(await api.send('GET', '/api/resources/COUNTRY/DE')).toMatchObject({
      status: 200,
      body: {
        success: true,
        data: {
          id: document?.id,
          schemaDefinitionId: document?.schemaDefinitionId,
          resourceExternalId: 'DE',
          data: { externalId: 'DE', name: 'Germany', 'a.b': 1, $x: { y: null } },
          versionNumber: 1,
          createdAt: document?.createdAt.toISOString(),
        },
      },
    });
  });

  it.each(['a/b', 'a%2Fb', '100%', ' ', 'ünï🙂', '?x=1#y', 'batch', '\u0000', '$where', '/'])(
    'finds the external id %j, encoded',
    async (externalId) => {
      await api.store('city', [{ externalId }]);
      const { status, body } = await api.send('GET', `/api/resources/city/${encodeURIComponent(externalId)}`);
      expect(status).toBe(200);
      expect(body.data.resourceExternalId).toBe(externalId);
    },
  );

  it('does not find a resource of another tenant', async () => {
    await api.store('country', [{ externalId: 'mine' }], 'a');
    expect(await api.send('GET', '/api/resources/country/mine', undefined, 'a')).toMatchObject({ status: 200 });
    for (const tenant of ['b', 'default']) {
      expect(await api.send('GET', '/api/resources/country/mine', undefined, tenant)).toMatchObject({ status: 404 });
      expect(await api.send('GET', '/api/resources/country/mine/references', undefined, tenant)).toMatchObject({
        status: 404,
      });
    }
    expect(await api.send('GET', '/api/resources/nothing/mine')).toMatchObject({ status: 404 });
  });
});

describe('GET /api/resources/{schema}', () => {
  it('pages by external id, stable while resources arrive', async () => {
    await api.store(
      'country',
      Array.from({ length: 25 }, (_, i) => ({ externalId: `c${String(i).padStart(2, '0')}` })),
      'pages',
    );
    const first = await api.send('GET', '/api/resources/country?limit=10', undefined, 'pages');
    expect(first.body.data.pagination.total).toBe(25);
    await api.store('country', [{ externalId: 'b' }, { externalId: 'c05x' }, { externalId: 'c20x' }], 'pages');
    const { cursor } = first.body.data.pagination;
    const second = await api.send('GET', `/api/resources/country?limit=100&cursor=${cursor}`, undefined, 'pages');
    const ids = [...first.body.data.results, ...second.body.data.results].map(
      (resource) => resource.resourceExternalId,
    );
    expect(ids).toHaveLength(26);
    expect(ids).toEqual(ids.toSorted());
    expect(second.body.data.pagination).toMatchObject({ hasNextPage: false, cursor: null });
  });

  it('refuses a cursor of another tenant, schema definition or list', async () => {
    const { body } = await api.send('GET', '/api/resources/country?limit=1', undefined, 'pages');
    const { cursor } = body.data.pagination;
    expect(await api.send('GET', `/api/resources/country?cursor=${cursor}`, undefined, 'other')).toMatchObject({
      status: 400,
    });
    expect(await api.send('GET', `/api/resources/city?cursor=${cursor}`, undefined, 'pages')).toMatchObject({
      status: 400,
    });
    expect(
      await api.send('GET', `/api/resources/country/b/references?cursor=${cursor}`, undefined, 'pages'),
    ).toMatchObject({ status: 400 });
  });

  it('ends a page early that would be too large to keep in memory', async () => {
    const text = 'x'.repeat(3 * 1024 * 1024);
    await api.store(
      'country',
      Array.from({ length: 6 }, (_, i) => ({ externalId: `big${i}`, name: text })),
      'big',
    );
    const first = await api.send('GET', '/api/resources/country?limit=100', undefined, 'big');
    expect(first.body.data.results.length).toBeLessThan(6);
    expect(
      (await all('/api/resources/country?limit=100', 'big')).map((resource) => resource.resourceExternalId),
    ).toHaveLength(6);
  });

  it('does not show uncommitted resources, or resources left by a committed delete', async () => {
    const documents = await api.store(
      'city',
      ['h1', 'h2', 'l1', 'l2', 'z'].map((externalId) => ({ externalId })),
      'marks',
    );
    const resources = resourcesIn(api.services.database);
    const commits = groupsIn(api.services.database);
    const mark = (externalId: string, set: object) =>
      resources.updateOne(
        { _id: documents.find((document) => document.externalId === externalId)?._id ?? '' },
        { $set: set },
      );
    await mark('h1', { hidden: 'marks/open' });
    await mark('h2', { hidden: 'marks/done' });
    await mark('l1', { leaving: { batchId: 'x', group: 'marks/open' } });
    await mark('l2', { leaving: { batchId: 'x', group: 'marks/done' } });
    await commits.insertOne({ _id: 'marks/done', state: 'committed', at: new Date() });
    expect((await all('/api/resources/city?limit=1', 'marks')).map((resource) => resource.resourceExternalId)).toEqual([
      'h2',
      'l1',
      'z',
    ]);
  });
});

describe('GET /api/resources/{schema}/{externalId}/references', () => {
  it('counts 9,999 referring resources and lists them in pages below 4 MiB, none of which takes long', async () => {
    const tenant = 'many-referrers';
    // a control character takes six bytes in an answer, and each list refers in more places than an answer shows
    const field = '\u0001'.repeat(1_000);
    await api.define('referrer', { [field]: { items: { $ref: 'reach:schemas/country' } } });
    await api.store('country', [{ externalId: 'wanted' }], tenant);
    const ids = Array.from({ length: 9_999 }, (_, n) => `${n}`.padStart(4, '0') + '\u0001'.repeat(252));
    const to = Array.from({ length: 25 }, () => 'wanted');
    const large = ids.slice(0, 100).map((externalId) => ({ externalId, [field]: to }));
    const small = ids.slice(100).map((externalId) => ({ externalId, [field]: ['wanted'] }));
    for (let at = 0; at < ids.length; at += 1_000)
      await api.store('referrer', [...large, ...small].slice(at, at + 1_000), tenant);
    const path = '/api/resources/country/wanted/references?limit=100';
    const seen: string[] = [];
    for (let cursor = ''; seen.length < 300; ) {
      const { result, ms } = await leastMs(() => api.send('GET', `${path}&cursor=${cursor}`, undefined, tenant));
      const { results, pagination } = result.body.data;
      expect([result.status, pagination.total, pagination.totalIsCapped ?? false]).toEqual([200, 9_999, false]);
      expect(Buffer.byteLength(JSON.stringify(result.body))).toBeLessThan(MAX_ANSWER_BYTES);
      expect(ms).toBeLessThan(2_000);
      if (seen.length === 0) expect([results[0].fields.length, results[0].fieldsTotal]).toEqual([20, 25]);
      seen.push(...results.map(({ resourceExternalId }: { resourceExternalId: string }) => resourceExternalId));
      cursor = pagination.cursor;
    }
    expect(seen).toEqual(ids.slice(0, 300));
  }, 240_000);

  it('lists the referring resources of any schema definition in pages, itself included, with the fields', async () => {
    const tenant = 'refs';
    await api.store('country', [{ externalId: 'X' }, { externalId: 'Y', borders: ['X', 'Y', 'X'] }], tenant);
    await api.store(
      'city',
      [
        { externalId: 'c1', in: 'Y' },
        { externalId: 'c2', in: 'X', via: { 'a/b': ['Y'] } },
        { externalId: 'c3', in: 'X' },
      ],
      tenant,
    );
    await api.store('country', [{ externalId: 'Y' }], 'refs2');
    const found = await all('/api/resources/country/Y/references?limit=1', tenant);
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ resourceExternalId: 'Y', schemaName: 'country', fields: ['/borders/1'] }),
        expect.objectContaining({ resourceExternalId: 'c1', schemaName: 'city', fields: ['in'] }),
        expect.objectContaining({ resourceExternalId: 'c2', schemaName: 'city', fields: ['/via/a~1b/0'] }),
      ]),
    );
    expect(await all('/api/resources/country/Y/references', 'refs2')).toEqual([]);
    const { body } = await api.send('GET', '/api/resources/country/Y/references', undefined, tenant);
    expect(body.data.pagination).toEqual({ hasNextPage: false, total: 3, cursor: null });
  });
});

describe('a resource whose external id no path can hold', () => {
  it.each(['.', '..'])('is named in the query: %j', async (externalId) => {
    const tenant = `dots${externalId}`;
    await api.store('country', [{ externalId }, { externalId: '-' }], tenant);
    await api.store('city', [{ externalId: 'c', in: externalId }], tenant);
    // the path that a client sends instead
    expect(new URL(`http://host/api/resources/country/${encodeURIComponent(externalId)}`).pathname).not.toContain('.');
    expect(new URL(`http://host/api/resources/country/%2E%2E`).pathname).not.toContain('.');
    const { body } = await api.send('GET', `/api/resources/country/-?externalId=${externalId}`, undefined, tenant);
    expect(body.data.resourceExternalId).toBe(externalId);
    const path = `/api/resources/country/-/references?limit=1&externalId=${externalId}`;
    expect(await all(path, tenant)).toMatchObject([{ resourceExternalId: 'c', fields: ['in'] }]);
    for (const query of ['', '?externalId=']) {
      const plain = await api.send('GET', `/api/resources/country/-${query}`, undefined, tenant);
      expect(plain.body.data.resourceExternalId).toBe('-');
    }
  });
});
