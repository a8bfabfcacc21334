import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_ANSWER_BYTES, MAX_SCHEMA_DEFINITIONS, MAX_SCHEMA_LENGTH } from '../../../../domain/limits.ts';
import type { JsonObject } from '../../../../domain/write/resource.ts';
import {
  type SchemaDefinitionDocument,
  schemaDefinitionsIn,
  schemaNamesIn,
} from '../../../../store/definitions/schema-definitions.ts';
import { type Answer, OwnApi } from '../../own-api.ts';

/** Many definitions, large ones, and those that an earlier version stored: no answer is larger than 4 MiB. */

const path = '/partner/schema-definitions';
let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
});
afterAll(() => api.close());

const bytesOf = ({ body }: Answer): number => Buffer.byteLength(JSON.stringify(body));

/** A stored definition, as any version may have written it. */
function stored(name: string, schema: JsonObject, more: Partial<SchemaDefinitionDocument> = {}) {
  const at = new Date();
  return {
    _id: uuidv7(),
    platform: 'default',
    name,
    externalIdField: 'externalId',
    schema: JSON.stringify(schema),
    referenceSchemas: [],
    referenceNames: [],
    versionNumber: 1,
    createdAt: at,
    updatedAt: at,
    active: true,
    announced: true,
    ...more,
  };
}

/** Stores definitions with the claims of their names. */
async function storeAll(documents: readonly SchemaDefinitionDocument[]): Promise<void> {
  const schemaDefinitions = schemaDefinitionsIn(api.services.database);
  const schemaNames = schemaNamesIn(api.services.database);
  await schemaDefinitions.insertMany([...documents]);
  await schemaNames.insertMany(
    documents.map(({ _id, platform, name }) => ({ _id: `${platform}/${name}`, schemaDefinitionId: _id })),
  );
}

test('the largest definition that is accepted is answered in less than 4 MiB, alone and in lists', async () => {
  const fields = Object.fromEntries(
    Array.from({ length: 990 }, (_, n) => [`f${n}`, { $ref: `reach:schemas/${`${n}`.padStart(128, 'r')}` }]),
  );
  const schema = { type: 'object', properties: fields, title: '' };
  // each character has three bytes in UTF-8
  schema.title = '€'.repeat(MAX_SCHEMA_LENGTH - JSON.stringify(schema).length);
  const description = '\u0001'.repeat(10_000);
  const names = Array.from({ length: 3 }, (_, n) => `largest-${n}`);
  for (const name of names) {
    const created = await api.send('POST', path, { name, description, schema });
    expect(created.status).toBe(201);
    expect(bytesOf(created)).toBeGreaterThan(2.8 * 1024 * 1024);
    expect(bytesOf(created)).toBeLessThan(MAX_ANSWER_BYTES);
  }
  const refused = await api.send('POST', path, { name: 'too-large', schema: { ...schema, title: `${schema.title}€` } });
  expect([refused.status, refused.body.errors]).toEqual([400, ['/schema: must not be longer than 1048576 characters']]);
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Answer = await api.send('GET', `${path}?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(bytesOf(page)).toBeLessThan(MAX_ANSWER_BYTES);
    seen.push(...page.body.data.results.map(({ name }: { name: string }) => name));
    cursor = page.body.data.pagination.cursor;
  }
  expect(seen).toEqual(names.toReversed());
}, 120_000);

test('a page of definitions counts the size of their references and descriptions', async () => {
  const own = await OwnApi.open();
  const referenceSchemas = Array.from({ length: 500 }, (_, n) => `${n}`.padStart(128, 'r'));
  const properties = Object.fromEntries(referenceSchemas.map((name, n) => [n, { $ref: `reach:schemas/${name}` }]));
  const description = '\u0001'.repeat(10_000);
  const documents = Array.from({ length: 100 }, (_, n) =>
    stored(`d${n}`, { type: 'object', properties }, { referenceSchemas, description }),
  );
  await schemaDefinitionsIn(own.services.database).insertMany(documents);
  const page = await own.send('GET', `${path}?limit=100`);
  expect(bytesOf(page)).toBeLessThan(MAX_ANSWER_BYTES);
  expect(page.body.data.results.length).toBeGreaterThan(10);
  expect(page.body.data.pagination.hasNextPage).toBe(true);
  await own.close();
});

test('a definition with long names that an earlier version has accepted is read, checked by and referred to as before', async () => {
  const field = 'n'.repeat(5_000);
  const schema = { type: 'object', properties: { [field]: { type: 'integer' }, to: { $ref: 'reach:schemas/early' } } };
  const early = stored('early', schema, { referenceSchemas: ['early'], referenceNames: ['early'] });
  await storeAll([early]);
  expect((await api.send('GET', `${path}/early`)).body.data.schema).toEqual(schema);
  const { compiled } = api.services.schemas.compiled({ ...early, id: early._id, schema });
  expect(compiled.faults({ externalId: 'a', [field]: 1 })).toEqual([]);
  const [fault] = compiled.faults({ externalId: 'a', [field]: 'x' });
  expect([fault?.code, fault?.field?.slice(0, 10), (fault?.field?.length ?? 0) < 400]).toEqual([
    'validation',
    'nnnnnnnnnn',
    true,
  ]);
  await api.store('early', [{ externalId: 'a' }, { externalId: 'b', to: 'a' }]);
  expect((await api.send('GET', '/api/resources/early/a/references')).body.data.results).toMatchObject([
    { resourceExternalId: 'b', fields: ['to'] },
  ]);
  // a request that changes nothing makes no new version; a change has to be acceptable today
  expect((await api.send('PUT', `${path}/early`, { schema, description: 'as before' })).status).toBe(200);
  const next = { ...schema, properties: { ...schema.properties, more: {} } };
  expect((await api.send('PUT', `${path}/early`, { schema: next })).body.errors).toEqual([
    expect.stringMatching(/names longer than 1024 characters/),
  ]);
});

test('a platform can have ten thousand definitions; one more is a 409 that says so', async () => {
  const { count } = await schemaDefinitionsIn(api.services.database)
    .find({ platform: 'default', active: true })
    .toArray()
    .then((all) => ({ count: all.length }));
  const left = MAX_SCHEMA_DEFINITIONS - count;
  await storeAll(Array.from({ length: left - 1 }, (_, n) => stored(`many-${n}`, { type: 'object' })));
  expect((await api.send('POST', path, { name: 'the-last', schema: { type: 'object' } })).status).toBe(201);
  const refused = await api.send('POST', path, { name: 'one-more', schema: { type: 'object' } });
  expect([refused.status, refused.body.message]).toEqual([409, expect.stringMatching(/has 10000 schema definitions/)]);
  expect((await api.send('GET', `${path}?limit=1`)).body.data.pagination).toMatchObject({ total: 10_000 });
  // another version of an existing definition takes no room
  expect((await api.send('PUT', `${path}/the-last`, { schema: { type: 'object', title: 'x' } })).status).toBe(200);
  expect((await api.send('DELETE', `${path}/the-last`)).status).toBe(200);
  expect((await api.send('POST', path, { name: 'one-more', schema: { type: 'object' } })).status).toBe(201);
}, 120_000);
