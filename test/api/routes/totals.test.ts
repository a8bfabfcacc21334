import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_TOTAL } from '../../../domain/limits.ts';
import { resourceKey } from '../../../domain/write/resource.ts';
import { groupsIn } from '../../../isolation/groups/groups.ts';
import { resourcesOfSchema } from '../../../isolation/resources/resource-pages.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { schemaDefinitionsIn } from '../../../store/definitions/schema-definitions.ts';
import { type ResourceDocument, resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';

/** Totals of lists: exact up to a bound, and capped beyond. */

const SCOPE = { platform: 'default', tenant: 'default' };

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
});
afterAll(() => drover.stop());

interface Page {
  readonly pagination: { readonly total: number; readonly totalIsCapped?: boolean };
}
const paginationOf = async (path: string) => {
  const { status, body } = await drover.request<Page>('GET', path);
  expect(status).toBe(200);
  const { total, totalIsCapped } = body.data.pagination;
  return { total, totalIsCapped, message: body.message };
};

/** Stores resources that all refer to one resource, in addition to those that exist. */
async function store(schemaDefinitionId: string, target: string, from: number, to: number): Promise<void> {
  const documents: ResourceDocument[] = Array.from({ length: to - from }, (_, n) => {
    const externalId = `many-${from + n}`;
    return {
      _id: resourceKey(SCOPE, schemaDefinitionId, externalId),
      id: externalId,
      scope: 'default/default',
      schemaDefinitionId,
      externalId,
      data: { externalId, to: target },
      references: [resourceKey(SCOPE, schemaDefinitionId, target)],
      version: 1,
      createdAt: new Date(),
      updatedAt: new Date(),
      writes: [],
    };
  });
  await resourcesIn(drover.services.database).insertMany(documents);
}

test('the total of resources and references is exact up to the bound, and capped beyond', async () => {
  const id = await drover.define('many', { to: { $ref: 'reach:schemas/many' } });
  await drover.ended(await drover.upload('many', [{ externalId: 'one' }]));
  expect(await paginationOf('/api/resources/many?limit=1')).toEqual({ total: 1, message: '1 resource' });
  await store(id, 'one', 0, MAX_TOTAL - 1);
  expect(await paginationOf('/api/resources/many?limit=1')).toEqual({
    total: MAX_TOTAL,
    message: `${MAX_TOTAL} resources`,
  });
  await store(id, 'one', MAX_TOTAL - 1, MAX_TOTAL + 1);
  const capped = { total: MAX_TOTAL, totalIsCapped: true };
  expect(await paginationOf('/api/resources/many?limit=1')).toEqual({
    ...capped,
    message: `more than ${MAX_TOTAL} resources`,
  });
  expect(await paginationOf('/api/resources/many/one/references?limit=1')).toMatchObject(capped);
  const { status, body } = await drover.request('DELETE', '/partner/schema-definitions/many');
  expect({ status, message: body.message }).toEqual({
    status: 409,
    message: expect.stringContaining(`more than ${MAX_TOTAL} resources`),
  });
});

test('resources of an undecided or aborted group are in no total, because readers do not see them', async () => {
  const id = await drover.define('marked', { to: { $ref: 'reach:schemas/marked' } });
  const resources = resourcesIn(drover.services.database);
  const commits = groupsIn(drover.services.database);
  await drover.ended(
    await drover.upload('marked', [
      { externalId: 'a' },
      ...['b', 'c', 'd', 'e'].map((x) => ({ externalId: x, to: 'a' })),
    ]),
  );
  const mark = (externalId: string, set: object) =>
    resources.updateOne({ _id: resourceKey(SCOPE, id, externalId) }, { $set: set });
  await commits.insertOne({ _id: 'committed', state: 'committed', at: new Date() });
  await mark('b', { hidden: 'undecided' });
  await mark('c', { hidden: 'committed' });
  await mark('d', { leaving: { batchId: 'x', group: 'undecided' } });
  await mark('e', { leaving: { batchId: 'x', group: 'committed' } });
  expect(await paginationOf('/api/resources/marked')).toMatchObject({ total: 3 });
  expect(await paginationOf('/api/resources/marked/a/references')).toMatchObject({ total: 2 });
  const { status, body } = await drover.request('DELETE', '/partner/schema-definitions/marked');
  expect({ status, message: body.message }).toEqual({ status: 409, message: expect.stringContaining('3 resources') });
  let stored = 0;
  for await (const chunk of resourcesOfSchema(drover.services.database, id)) stored += chunk.length;
  expect(stored).toBe(5);
});

test('the totals of batches and schema definitions are capped in the same way', async () => {
  const batches = batchesIn(drover.services.database);
  const schemaDefinitions = schemaDefinitionsIn(drover.services.database);
  const about = { tenant: 'crowded' };
  await drover.define('few', {});
  await drover.ended(await drover.upload('few', [{ externalId: 'a' }], {}, about), about);
  const batch = await batches.findOne({ tenant: 'crowded' });
  if (batch === null) throw new Error('no batch');
  const more = Array.from({ length: MAX_TOTAL - 1 }, (_, n) => ({ ...batch, _id: `${batch._id}-${n}` }));
  await batches.insertMany(more);
  const listed = async (query = '') => {
    const { body } = await drover.request<Page>('GET', `/api/batches?limit=1${query}`, about);
    return body.data.pagination;
  };
  expect(await listed()).toMatchObject({ total: MAX_TOTAL });
  expect(await listed()).not.toHaveProperty('totalIsCapped');
  await batches.insertOne({ ...batch, _id: `${batch._id}-x`, deletedAt: new Date() });
  expect(await listed()).not.toHaveProperty('totalIsCapped');
  await batches.insertOne({ ...batch, _id: `${batch._id}-y` });
  expect(await listed('&status=success')).toMatchObject({ total: MAX_TOTAL, totalIsCapped: true });
  const definition = await schemaDefinitions.findOne({ name: 'few' });
  if (definition === null) throw new Error('no definition');
  await schemaDefinitions.insertMany(
    Array.from({ length: MAX_TOTAL + 1 }, (_, n) => ({ ...definition, _id: `${definition._id}-${n}` })),
  );
  const { body } = await drover.request<Page>('GET', '/partner/schema-definitions?limit=1');
  expect(body.data.pagination).toMatchObject({ total: MAX_TOTAL, totalIsCapped: true });
});
