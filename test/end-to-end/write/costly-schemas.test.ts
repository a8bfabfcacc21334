import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('plain', { n: { type: 'number' } });
});
afterAll(() => drover.stop());

const list = <T>(length: number, of: (i: number) => T): T[] => Array.from({ length }, (_, i) => of(i));
const fields = (count: number, of: (i: number) => unknown) => Object.fromEntries(list(count, (i) => [`k${i}`, of(i)]));
const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema';

interface Case {
  readonly name: string;
  readonly schema: JsonObject;
  readonly hostile: unknown;
  readonly ordinary: unknown;
}

/** The validation of each takes far longer than a second. */
const CASES: Case[] = [
  {
    name: 'allOf-items',
    schema: { properties: { a: { allOf: list(1_200, (i) => ({ items: { minimum: -i } })) } } },
    hostile: list(190_000, (i) => i),
    ordinary: [1, 2],
  },
  {
    name: 'uniqueItems',
    schema: { properties: { a: { allOf: list(400, () => ({ uniqueItems: true })) } } },
    hostile: list(20_000, (i) => ({ i, text: 'x'.repeat(20) })),
    ordinary: [1, 2],
  },
  {
    name: 'propertyNames',
    schema: { properties: { a: { allOf: list(400, (i) => ({ propertyNames: { maxLength: 100 + i } })) } } },
    hostile: fields(60_000, () => 1),
    ordinary: { b: 1 },
  },
  {
    name: 'patternProperties',
    schema: {
      properties: {
        a: { allOf: list(400, (i) => ({ patternProperties: { '^k[0-9]+$': { maximum: 100_000 + i } } })) },
      },
    },
    hostile: fields(60_000, (i) => i),
    ordinary: { b: 1 },
  },
  {
    name: 'unevaluatedProperties',
    schema: {
      $schema: DRAFT_2020,
      properties: {
        a: {
          anyOf: list(400, (i) => ({ patternProperties: { [`^k${i}`]: true } })),
          unevaluatedProperties: { type: 'number' },
        },
      },
    },
    hostile: fields(40_000, (i) => i),
    ordinary: { k1: 1 },
  },
  {
    name: 'nested-combinators',
    schema: {
      properties: {
        a: {
          items: {
            allOf: list(12, (i) => ({ anyOf: list(12, (j) => ({ oneOf: [{ const: i }, { const: j }, true] })) })),
          },
        },
      },
    },
    hostile: list(300_000, (i) => i + 100),
    ordinary: [100],
  },
];

describe.each(CASES)(
  'a resource that takes too long to validate: $name',
  ({ name: about, schema, hostile, ordinary }) => {
    test('fails alone, and its neighbours are applied meanwhile', async () => {
      // a test that is run again has to define a schema of its own
      const name = `${about}-${randomUUID()}`;
      const created = await drover.request('POST', '/partner/schema-definitions', {
        body: { name, schema: { type: 'object', ...schema } },
      });
      expect(created.status).toBe(201);
      const resources = [
        { externalId: 'before', a: ordinary },
        { externalId: 'hostile', a: hostile },
        { externalId: 'after', a: ordinary },
      ];
      const id = await drover.upload(name, resources);
      const neighbour = await drover.upload('plain', [{ externalId: `beside-${name}`, n: 1 }]);
      const first = await Promise.race([drover.ended(neighbour), drover.ended(id)]);
      expect(first).toMatchObject({ batchId: neighbour, status: 'success' });
      expect(await drover.ended(id)).toMatchObject({
        status: 'partial_success',
        counts: { succeeded: 2, failed: 1 },
        errors: { summary: { validation: 1 }, details: { 1: expect.stringMatching(/takes longer than 1 s/) } },
      });
    }, 120_000);
  },
);

test('a pattern with many repetitions fails only the item that it is applied to', async () => {
  await drover.define('repeats', { a: { type: 'string', pattern: '^(?:.?.?.?.?.?.?.?.?.?){50}[xy]$' } });
  const hostile = list(400_000, (i) => String.fromCodePoint(0x100 + ((i * 7919) % 20_000))).join('');
  const batch = await drover.ended(
    await drover.upload('repeats', [
      { externalId: 'hostile', a: hostile },
      { externalId: 'ordinary', a: 'abcx' },
    ]),
  );
  expect(batch).toMatchObject({ status: 'partial_success', errors: { summary: { validation: 1 } } });
}, 120_000);

test('resources that each take long, but not too long, are all stored, over as many attempts as necessary', async () => {
  await drover.define('slow', { a: { allOf: list(300, (i) => ({ items: { minimum: -i } })) } });
  const resources = list(8, (n) => ({ externalId: `s${n}`, a: list(3_000, (i) => i + n) }));
  expect(await drover.ended(await drover.upload('slow', resources))).toMatchObject({
    status: 'success',
    actions: { created: 8 },
  });
}, 120_000);

test('a version under which a stored resource takes too long to validate is refused, and the API answers meanwhile', async () => {
  await drover.define('grown', { a: {} });
  await drover.ended(await drover.upload('grown', [{ externalId: 'large', a: list(190_000, (i) => i) }]));
  const schema = {
    type: 'object',
    properties: { a: { allOf: list(1_200, (i) => ({ items: { minimum: -i } })) } },
  };
  const put = drover.request('PUT', '/partner/schema-definitions/grown', { body: { schema } });
  const other = await Promise.race([drover.request('GET', '/partner/schema-definitions/plain'), put]);
  expect(other.status).toBe(200);
  const refused = await put;
  expect(refused.status).toBe(409);
  expect(refused.body.message).toMatch(/1 would be invalid.*takes longer than 1 s/);
}, 120_000);
