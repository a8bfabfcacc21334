import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { jsonText } from '../../../domain/json/exact.ts';
import { parseJson } from '../../../domain/json/parse.ts';
import { resourceKey } from '../../../domain/write/resource.ts';
import { convertTextResources } from '../../../store/migrations/text-resources.ts';
import { FORMAT_KEPT_MS, formatsIn, writeDocuments } from '../../../store/resource-format.ts';
import { type ResourceDocument, readResource, resourcesIn } from '../../../store/resources.ts';
import { node, Program } from '../../../testkit/program.ts';
import { withCollection } from '../../../testkit/replaced-collection.ts';
import { addressesOf, Drover } from '../../harness/drover.ts';

/** An installation with resources of an earlier version, whose data is JSON text. */

const SCOPE = { platform: 'default', tenant: 'default' };
const MAIN = fileURLToPath(new URL('../../../worker/migrate-main.ts', import.meta.url));
const MANY = 12_000;

let drover: Drover;
let schemaId: string;
beforeAll(async () => {
  drover = await Drover.start();
  schemaId = await drover.define('thing', { n: {}, odd: {} });
  await storeTexts({ first: '{"externalId":"first","n":1}' });
});
afterAll(() => drover.stop());

const key = (externalId: string): string => resourceKey(SCOPE, schemaId, externalId);

/** Stores resources as an earlier version has. */
async function storeTexts(texts: Readonly<Record<string, string>>): Promise<void> {
  const documents = Object.entries(texts).map(([externalId, text]) => ({
    _id: key(externalId),
    id: `life of ${externalId}`,
    scope: 'default/default',
    schemaDefinitionId: schemaId,
    externalId,
    data: text,
    references: [],
    version: 1,
    createdAt: new Date(),
    updatedAt: new Date(),
    writes: [],
  }));
  await resourcesIn(drover.services.database).insertMany(documents as unknown as ResourceDocument[]);
}

const typeOf = async (externalId: string): Promise<string> =>
  typeof (await resourcesIn(drover.services.database).findOne({ _id: key(externalId) }))?.data;

async function convertAll(database = drover.services.database): Promise<string[]> {
  const kept: string[] = [];
  for await (const step of convertTextResources(database)) kept.push(...step.kept);
  return kept;
}

describe('while an earlier version may run beside', () => {
  test('resources are written as text, which it can read; text is merged, read and listed', async () => {
    await drover.ended(await drover.upload('thing', [{ externalId: 'new', n: 2 }]));
    await drover.ended(await drover.patch('thing', [{ externalId: 'first', odd: { 2: 'b', 1: 'a' } }]));
    expect([await typeOf('new'), await typeOf('first')]).toEqual(['string', 'string']);
    const { resources } = drover.client();
    expect((await resources.get('thing', 'first')).data).toEqual({
      externalId: 'first',
      n: 1,
      odd: { 1: 'a', 2: 'b' },
    });
    expect((await resources.list('thing').toArray()).map(({ data }) => data.n)).toEqual([1, 2]);
  });

  test('from the decision on every process writes documents, over text too', async () => {
    await writeDocuments(drover.services.database);
    let n = 10;
    await vi.waitFor(
      async () => {
        n += 1;
        await drover.ended(await drover.patch('thing', [{ externalId: 'first', n }]));
        expect(await typeOf('first')).toBe('object');
      },
      { timeout: 4 * FORMAT_KEPT_MS, interval: 200 },
    );
    const stored = await resourcesIn(drover.services.database).findOne({ _id: key('first') });
    expect(stored).toMatchObject({ schemaName: 'thing', data: { externalId: 'first', n } });
    expect(await typeOf('new')).toBe('string');
  });
});

describe('the migration', () => {
  test('makes documents of texts, with every name, order and number; what no document can hold stays as it is', async () => {
    const odd =
      '{"externalId":"odd","odd":{"$ref":"a","$id":1,"\\u0000":-0,"b.c":5e-324,"9":{"2":1,"1":[]},"":1e+300}}';
    const numbers = `{"externalId":"numbers","n":[${'1,'.repeat(1_500_000)}1]}`;
    const half = '{"externalId":"half","n":"\\ud800"}';
    await storeTexts({ odd, numbers, half });
    expect(await convertAll()).toEqual([key('half'), key('numbers')]);
    expect(await Promise.all(['new', 'odd', 'half', 'numbers'].map(typeOf))).toEqual([
      ...['object', 'object', 'string', 'string'],
    ]);
    for (const [externalId, text] of Object.entries({ odd, half, numbers }))
      expect(jsonText((await readResource(drover.services.database, key(externalId)))?.data)).toBe(text);
    const stored = await resourcesIn(drover.services.database).findOne({ _id: key('odd') });
    expect(stored).toMatchObject({ schemaName: 'thing', version: 1, id: 'life of odd' });
    await drover.ended(await drover.patch('thing', [{ externalId: 'odd', n: 1 }]));
    const text = await (await drover.app.request('/api/resources/thing/odd')).text();
    expect(text).toContain(`"data":${odd.slice(0, -1)},"n":1}`);
  });

  test('keeps a change that is made while it converts, and converts the rest of its step', async () => {
    await storeTexts({ raced: '{"externalId":"raced","n":1}', still: '{"externalId":"still","n":1}' });
    const { database } = drover.services;
    const racing = new Proxy(resourcesIn(database), {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'bulkWrite' || typeof value !== 'function') return value;
        return async (...given: unknown[]) => {
          await drover.ended(await drover.patch('thing', [{ externalId: 'raced', n: 2 }]));
          return value.apply(target, given) as unknown;
        };
      },
    });
    await convertAll(withCollection(database, 'resources', racing));
    expect(await readResource(database, key('raced'))).toMatchObject({ version: 2, data: { n: 2 } });
    expect([await typeOf('raced'), await typeOf('still')]).toEqual(['object', 'object']);
  });

  test('that is killed in the middle continues where it was, and ends with everything converted', async () => {
    const { database } = drover.services;
    const textOf = (n: number) => `{"externalId":"many-${n}","n":${n},"odd":{"b":1,"1":-0}}`;
    for (let from = 0; from < MANY; from += 1_000)
      await storeTexts(
        Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`many-${from + n}`, textOf(from + n)])),
      );
    const start = () =>
      Program.start({
        name: 'migrate',
        command: node(MAIN),
        environment: addressesOf(drover.config),
        ready: /^resources are written/,
      });
    const killed = await start();
    await vi.waitFor(async () => expect((await formatsIn(database).findOne({}))?.converted).toBeGreaterThan(0), {
      timeout: 60_000,
      interval: 5,
    });
    await killed.kill();
    const place = await formatsIn(database).findOne({});
    expect(place?.converted).toBeLessThan(MANY);
    await (await start()).ended;
    expect(await formatsIn(database).findOne({})).toEqual({ _id: 'resources', format: 'document' });
    const left = await resourcesIn(database).countDocuments({ data: { $type: 'string' } });
    expect(left).toBe(2);
    for (const n of [0, 1, MANY - 1])
      expect(jsonText((await readResource(database, key(`many-${n}`)))?.data)).toBe(textOf(n));
    expect(parseJson(textOf(0))).toEqual(JSON.parse(textOf(0)));
  }, 120_000);
});
