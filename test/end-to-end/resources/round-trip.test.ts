import fc from 'fast-check';
import { type Document, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { MAX_RESOURCE_DEPTH } from '../../../domain/limits.ts';
import { anyObjectText } from '../../domain/json/any-json.ts';
import { Drover } from '../../harness/drover.ts';

/** From the body of a request to the answer, as texts: nothing that JavaScript, BSON or MongoDB does to names and numbers is seen. */

let drover: Drover;
let client: MongoClient;
beforeAll(async () => {
  drover = await Drover.start();
  client = new MongoClient(inject('mongodbUri'));
  await drover.define('Any', { value: {}, $ref: {}, 'a.b': {}, 2: {}, 1: {} });
});
afterAll(async () => {
  await client.close();
  await drover.stop();
});

const stored = (externalId: string): Promise<Document | null> =>
  client.db(drover.config.MONGODB_DATABASE).collection('resources').findOne({ externalId });

async function send(method: string, resources: readonly string[]): Promise<(string | undefined)[]> {
  const { body } = await drover.request<{ batchId: string }>(method, '/api/resources/Any/batch', {
    body: `{"resources":[${resources.join(',')}]}`,
  });
  await drover.ended(body.data.batchId);
  return (await drover.items(body.data.batchId)).map(({ action, errors }) => action ?? errors?.[0]?.code);
}

/** The export of all resources. */
async function allLines(): Promise<string> {
  const headers = { accept: 'application/x-ndjson' };
  return (await drover.app.request('/api/resources/Any', { headers })).text();
}

/** The data of a resource, as the text of the answer. */
async function read(externalId: string): Promise<string> {
  const text = await (await drover.app.request(`/api/resources/Any/${externalId}`)).text();
  return /"data":(\{"externalId".*\}),"versionNumber"/s.exec(text)?.[1] ?? text;
}

describe('a resource is read as it was sent', () => {
  test('whatever is in it, and is unchanged when it is sent again', async () => {
    const texts = fc.sample(anyObjectText, { numRuns: 200, seed: 21 });
    const resources = texts.map((text, n) => `{"externalId":"${n}","value":${text}}`);
    expect(new Set(await send('POST', resources))).toEqual(new Set(['created']));
    for (const [n, text] of texts.slice(0, 20).entries())
      expect(await read(`${n}`)).toBe(`{"externalId":"${n}","value":${text}}`);
    const exported = (await allLines()).trimEnd().split('\n');
    // the separators of lines that JSON allows are escaped
    expect(exported.map((line) => line.replaceAll('\\u2028', '\u2028')).toSorted()).toEqual(resources.toSorted());
    // what was exported can be uploaded as it is
    expect(new Set(await send('POST', exported))).toEqual(new Set(['unchanged']));
  });

  test('by a caller that reads them all, names in their order', async () => {
    const text = '{"externalId":"order","2":"b","value":{"10":1,"9":{"b":-0,"1":2}},"1":"a"}';
    expect(await send('POST', [text])).toEqual(['created']);
    expect(await read('order')).toBe(text);
    expect((await allLines()).includes(`${text}\n`)).toBe(true);
    expect(await send('PATCH', ['{"externalId":"order","2":null,"a.b":5}'])).toEqual(['updated']);
    expect(await read('order')).toBe('{"externalId":"order","value":{"10":1,"9":{"b":-0,"1":2}},"1":"a","a.b":5}');
    expect(await send('PATCH', ['{"externalId":"order","value":0}'])).toEqual(['updated']);
    expect(await send('PATCH', ['{"externalId":"order","value":-0}'])).toEqual(['updated']);
    expect(await send('PATCH', ['{"externalId":"order","value":-0}'])).toEqual(['unchanged']);
    expect(await read('order')).toBe('{"externalId":"order","value":-0,"1":"a","a.b":5}');
  });
});

test('a resource of 10,000 members in an order of their own, and one of 90 levels, come back as they were sent, patched too', async () => {
  const members = Array.from({ length: 10_000 }, (_, n) => `"${(n * 7919) % 10_000}":${n}`);
  const wide = `{${members.join(',')}}`;
  // beside the resource itself and the array
  const levels = MAX_RESOURCE_DEPTH - 2;
  const deep = `[${'{"a":['.repeat(levels / 2)}-0${']}'.repeat(levels / 2)}]`;
  const textOf = (externalId: string, value: string): string => `{"externalId":"${externalId}","value":${value}}`;
  expect(await send('POST', [textOf('wide', wide), textOf('deep', deep)])).toEqual(['created', 'created']);
  expect(await read('wide')).toBe(textOf('wide', wide));
  expect(await read('deep')).toBe(textOf('deep', deep));
  expect((await allLines()).includes(`${textOf('wide', wide)}\n`)).toBe(true);
  expect(await send('PATCH', ['{"externalId":"wide","a.b":1}', '{"externalId":"deep","a.b":1}'])).toEqual([
    'updated',
    'updated',
  ]);
  expect(await read('wide')).toBe(`{"externalId":"wide","value":${wide},"a.b":1}`);
  expect(await read('deep')).toBe(`{"externalId":"deep","value":${deep},"a.b":1}`);
});

describe('in MongoDB', () => {
  test('ordinary names are themselves; a NUL, a dollar at the beginning and a backslash are escaped', async () => {
    const value = { $ref: 'a', $id: 'b', 'c.d': 1, 'e\\f': 2, 'g\0': 3, h$: 4, 2020: 5, '': 6, é: 7 };
    const text = JSON.stringify({ externalId: 'names', value, $ref: 1 });
    expect(await send('POST', [text])).toEqual(['created']);
    expect((await stored('names'))?.data).toEqual({
      externalId: 'names',
      value: { '\\$ref': 'a', '\\$id': 'b', 'c.d': 1, 'e\\\\f': 2, 'g\\0': 3, h$: 4, 2020: 5, '': 6, é: 7 },
      '\\$ref': 1,
    });
    expect(await send('PATCH', ['{"externalId":"names","$ref":2}'])).toEqual(['updated']);
    expect((await stored('names'))?.data['\\$ref']).toBe(2);
  });
});
