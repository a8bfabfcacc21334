import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CURSOR_KEY_PURPOSE, Cursors, type ListPlace } from '../../../api/http/cursors.ts';
import { type Scope, scopeKey } from '../../../domain/batch/scope.ts';
import { referrerPage, resourcePage } from '../../../isolation/resources/resource-pages.ts';
import { serverKey } from '../../../store/server-keys.ts';
import { Drover } from '../../harness/drover.ts';

/**
 * Cursors made by an attacker who has read this repository and knows the ids of others. Only the server's key prevents the attacker from
 * making a valid cursor; and whatever a cursor says, it gives access to the tenant's own data only.
 */

const BLUE: Scope = { platform: 'default', tenant: 'blue' };
const RED: Scope = { platform: 'default', tenant: 'red' };
/** Each list of the tenant RED, by its path in the OpenAPI document. */
interface List {
  readonly path: string;
  readonly owner: Scope;
  readonly place: ListPlace;
  /** Places at which an attacker would like to begin. */
  readonly places: readonly string[];
}

let drover: Drover;
let lists: Record<string, List>;
let schemaId: string;

beforeAll(async () => {
  drover = await Drover.start();
  schemaId = await drover.define('person', { friend: { $ref: 'reach:schemas/person' } });
  await drover.define('other', {});
  const ids: string[] = [];
  for (const { tenant } of [BLUE, RED]) {
    for (const batch of ['first', 'second']) {
      const resources = ['ann', 'bob', 'cid'].map((externalId) => ({ externalId, friend: 'ann', note: batch }));
      ids.push(await drover.upload('person', resources, { ignoreUnknownFields: true }, { tenant }));
      await drover.ended(ids.at(-1) ?? '', { tenant });
    }
  }
  const [, , batchId = ''] = ids;
  const opened = await drover.request<{ importId: string }>('POST', '/api/imports?format=ndjson&schema=person', {
    tenant: RED.tenant,
  });
  const { importId } = opened.body.data;
  const webhook = await drover.request<{ webhookId: string }>('POST', '/api/webhooks', {
    tenant: RED.tenant,
    body: { url: 'http://127.0.0.1:1/', events: ['import.cancelled'] },
  });
  const { webhookId } = webhook.body.data;
  const bulk = await drover.request<{ bulkOperationId: string }>('POST', '/api/batches/suspend', {
    tenant: RED.tenant,
    body: { filter: { label: 'none' } },
  });
  const { bulkOperationId } = bulk.body.data;
  const key = (scope: Scope, externalId: string): string => `${scopeKey(scope)}/${schemaId}/${externalId}`;
  const hostile = [
    '',
    '/',
    key(BLUE, ''),
    key(BLUE, 'ann'),
    `${scopeKey(BLUE)}/`,
    'default',
    '\uffff',
    key(RED, 'ann'),
  ];
  lists = {
    '/api/batches': {
      path: '/api/batches',
      owner: RED,
      place: { list: 'batches', filter: ['{}', '-createdAt', scopeKey(RED)] },
      places: [...hostile, ...ids],
    },
    '/api/batches/{batchId}/items': {
      path: `/api/batches/${batchId}/items`,
      owner: RED,
      place: { list: `items of ${batchId}`, filter: [''] },
      places: ['-1', '-99', '1.5', 'NaN', '1e3', '', ' ', '0x1', '9007199254740993', '1'],
    },
    '/api/bulk-operations': {
      path: '/api/bulk-operations',
      owner: RED,
      place: { list: 'bulk-operations', filter: [] },
      places: [...hostile, bulkOperationId],
    },
    '/api/imports': {
      path: '/api/imports',
      owner: RED,
      place: { list: 'imports', filter: ['', ''] },
      places: [...hostile, importId],
    },
    '/api/imports/{importId}/batches': {
      path: `/api/imports/${importId}/batches`,
      owner: RED,
      place: { list: `batches of import ${importId}`, filter: [] },
      places: ['-1', '1.5', 'NaN', '', '0x1', '1'],
    },
    '/api/imports/{importId}/parts': {
      path: `/api/imports/${importId}/parts`,
      owner: RED,
      place: { list: `parts of import ${importId}`, filter: [] },
      places: ['-1', '1.5', 'NaN', '', '0x1', '1'],
    },
    '/api/resources/{schemaDefinitionNameOrId}': {
      path: '/api/resources/person',
      owner: RED,
      place: { list: 'resources', filter: [schemaId] },
      places: hostile,
    },
    '/api/resources/{schemaDefinitionNameOrId}/{externalId}/references': {
      path: '/api/resources/person/ann/references',
      owner: RED,
      place: { list: 'references', filter: [key(RED, 'ann')] },
      places: hostile,
    },
    '/api/webhooks': {
      path: '/api/webhooks',
      owner: RED,
      place: { list: 'webhooks', filter: [] },
      places: [...hostile, webhookId],
    },
    '/api/webhooks/{webhookId}/deliveries': {
      path: `/api/webhooks/${webhookId}/deliveries`,
      owner: RED,
      place: { list: `deliveries to ${webhookId}`, filter: [''] },
      places: [...hostile, webhookId],
    },
    '/partner/schema-definitions': {
      path: '/partner/schema-definitions',
      owner: { platform: 'default', tenant: '' },
      place: { list: 'schema-definitions', filter: [] },
      places: [...hostile, schemaId],
    },
  };
});
afterAll(() => drover.stop());

const withKey = (key: string | Buffer): Cursors => new Cursors(async () => Buffer.from(key));

async function statusOf(path: string, cursor: string): Promise<number> {
  return (await drover.request('GET', `${path}?limit=1&cursor=${encodeURIComponent(cursor)}`, { tenant: 'red' }))
    .status;
}

test('every list of the API is attacked here', async () => {
  const document = (await (await drover.app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
  };
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).some(({ parameters = [] }) => parameters.some(({ name }) => name === 'cursor'))
      ? [path]
      : [],
  );
  expect(documented.sort()).toEqual(Object.keys(lists).sort());
});

test.each([
  '/api/batches',
  '/api/batches/{batchId}/items',
  '/api/bulk-operations',
  '/api/imports',
  '/api/imports/{importId}/batches',
  '/api/imports/{importId}/parts',
  '/api/resources/{schemaDefinitionNameOrId}',
  '/api/resources/{schemaDefinitionNameOrId}/{externalId}/references',
  '/api/webhooks',
  '/api/webhooks/{webhookId}/deliveries',
  '/partner/schema-definitions',
])('a cursor of %s made by someone who knows our code is a 400', async (name) => {
  const { path, owner, place, places } = lists[name] as List;
  // the forged cursor differs from a real one only in the key
  const real = await serverKey(drover.services.database, CURSOR_KEY_PURPOSE);
  const good = await withKey(real).encode(owner, place, places.at(-1) ?? '');
  expect(await statusOf(path, good)).toBe(200);
  const keys = ['', '\0'.repeat(32), CURSOR_KEY_PURPOSE, 'drover', randomUUID()];
  for (const after of places) {
    for (const key of keys) {
      const forged = await withKey(key).encode(owner, place, after);
      expect([after, key, await statusOf(path, forged)]).toEqual([after, key, 400]);
    }
    // the code of another place, a truncated code, or no code
    const [, code] = JSON.parse(Buffer.from(good, 'base64url').toString()) as [string, string];
    for (const wrong of [code, code.slice(0, 8), '', null]) {
      if (wrong === code && after === places.at(-1)) continue;
      const forged = Buffer.from(JSON.stringify([after, wrong])).toString('base64url');
      expect([after, wrong, await statusOf(path, forged)]).toEqual([after, wrong, 400]);
    }
  }
});

test('a correctly signed cursor of items is a 400 if it is no whole number from 0', async () => {
  const { path, owner, place, places } = lists['/api/batches/{batchId}/items'] as List;
  const key = await serverKey(drover.services.database, CURSOR_KEY_PURPOSE);
  for (const after of places.slice(0, -1)) {
    expect([after, await statusOf(path, await withKey(key).encode(owner, place, after))]).toEqual([after, 400]);
  }
});

test('another API process of the installation accepts the cursors of this one', async () => {
  const { database } = drover.services;
  const other = new Cursors(() => serverKey(database, CURSOR_KEY_PURPOSE));
  const place = { list: 'x', filter: [] };
  const cursor = await drover.services.cursors.encode(RED, place, 'here');
  expect(await other.decode(RED, place, cursor)).toBe('here');
  await expect(other.decode(BLUE, place, cursor)).rejects.toThrow('cursor');
});

test('a key that could not be read is read again', async () => {
  let fails = true;
  const cursors = new Cursors(async () => {
    if (fails) throw new Error('unavailable');
    return Buffer.alloc(32, 1);
  });
  const place = { list: 'x', filter: [] };
  await expect(cursors.encode(RED, place, 'here')).rejects.toThrow('unavailable');
  fails = false;
  expect(await cursors.decode(RED, place, await cursors.encode(RED, place, 'here'))).toBe('here');
});

describe('whatever lower bound a query has', () => {
  const bounds = [
    '',
    '/',
    'default/blue/',
    'default/blue/~',
    'default/',
    'default/red',
    'default/red/',
    'default/red/!',
    '\u0000',
    'default/rec/',
    'default/zzz/',
    '\uffff',
    '\ud83d\ude00',
    '~',
  ];

  test('resources are those of the tenant and definition', async () => {
    for (const after of bounds) {
      const { resources } = await resourcePage(drover.services.database, RED, schemaId, after, 100);
      for (const { scope, schemaDefinitionId } of resources) {
        expect([after, scope, schemaDefinitionId]).toEqual([after, scopeKey(RED), schemaId]);
      }
      expect([0, 3]).toContain(resources.length);
    }
    const { resources } = await resourcePage(drover.services.database, RED, schemaId, '', 100);
    expect(resources).toHaveLength(3);
  });

  test('referring resources are those of the tenant', async () => {
    const target = `${scopeKey(RED)}/${schemaId}/ann`;
    for (const after of bounds) {
      const { resources } = await referrerPage(drover.services.database, RED, target, after, 100);
      for (const { scope } of resources) expect([after, scope]).toEqual([after, scopeKey(RED)]);
      expect([0, 3]).toContain(resources.length);
    }
    // a list of references to another tenant's resource shows only the caller's own resources
    const other = await referrerPage(drover.services.database, BLUE, target, null, 100);
    expect(other.resources).toEqual([]);
  });
});
