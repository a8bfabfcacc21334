import { BSON } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../../domain/write/resource.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { keyListsIn } from '../../../store/items/key-lists.ts';
import { Drover } from '../../harness/drover.ts';
import { waitsOf } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';

const MIB = 1024 * 1024;
const WAIT = { dependencyWaitTimeout: 600 };

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '20' } });
  await drover.define('thing', { a: {}, b: {}, to: { type: 'array', items: { $ref: 'reach:schemas/thing' } } });
});
afterAll(() => drover.stop());

/** Sends a body as text, and waits for the end. @returns the action of each item, or the codes and fields of its errors. */
async function outcomesOf(tenant: Tenant, body: string): Promise<(string | undefined)[]> {
  const { status, body: answer } = await drover.request<{ batchId: string }>('POST', '/api/resources/thing/batch', {
    body,
    tenant: tenant.tenant,
  });
  expect(status).toBe(202);
  await tenant.ended(answer.data.batchId);
  return (await tenant.items(answer.data.batchId)).map(
    (item) => item.errors?.map(({ code, field }) => `${code} of ${field}`).join() ?? item.action,
  );
}

describe('stored data is returned unchanged', () => {
  test('ninety levels, and names of any kind at each; one more fails the item and names the field', async () => {
    const tenant = new Tenant(drover);
    let deep: JsonValue = [1.5, -0.1, 1e300, 'x', true, null];
    for (const [n, name] of Array.from(
      // the other levels are the resource and the list
      { length: 88 },
      (_, level) => ['__proto__', 'constructor', 'a.b', '$set', '', ' ', 'é😀', '\u0000'][level % 8] ?? '',
    ).entries()) {
      deep = n % 3 === 0 ? [deep] : (JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(deep)}}`) as JsonObject);
    }
    const body = JSON.stringify({ resources: [{ externalId: 'x', a: deep }] });
    expect(await outcomesOf(tenant, body)).toEqual(['created']);
    expect(JSON.stringify((await tenant.stored('thing', 'x'))?.data.a)).toBe(JSON.stringify(deep));
    expect(await outcomesOf(tenant, body)).toEqual(['unchanged']);
    const texts = [JSON.stringify([deep]), `${'['.repeat(100_000)}${']'.repeat(100_000)}`];
    for (const text of texts)
      expect(await outcomesOf(tenant, `{"resources":[{"externalId":"y","a":${text}}]}`)).toEqual(['validation of a']);
  });

  test.each(['a/b', 'a%2Fb', '100%', ' a b ', 'ä😀', '?x=1#y', '\'"`', '\u202e', '$where', 'batch'])(
    'under the external id %j',
    async (externalId) => {
      const tenant = new Tenant(drover);
      expect(
        await outcomesOf(
          tenant,
          JSON.stringify({
            resources: [
              { externalId, a: 1 },
              { externalId: 'r', to: [externalId] },
            ],
          }),
        ),
      ).toEqual(['created', 'created']);
      expect((await tenant.stored('thing', externalId))?.data).toEqual({ externalId, a: 1 });
    },
  );

  test('a body of 16 MiB', async () => {
    const tenant = new Tenant(drover);
    const resources = Array.from({ length: 1000 }, (_, n) => ({ externalId: `${n}`, a: 'x'.repeat(16_700) }));
    const { batch } = await tenant.uploaded('thing', resources);
    expect(batch.actions.created).toBe(1000);
  });
});

describe('an item beyond a limit fails alone', () => {
  test('a resource that is too large for a document, as sent or as JSON', async () => {
    const tenant = new Tenant(drover);
    const large = `{"externalId":"large","a":"${'x'.repeat(15 * MIB)}"}`;
    expect(await outcomesOf(tenant, `{"resources":[${large},{"externalId":"small"}]}`)).toEqual([
      'validation of a',
      'created',
    ]);
    const grows = `{"externalId":"grows","a":[${'1e20,'.repeat(1.5 * MIB)}1]}`;
    expect(await outcomesOf(tenant, `{"resources":[${grows},{"externalId":"small"}]}`)).toEqual([
      'validation of a',
      'unchanged',
    ]);
  });

  test('a resource that is too large once it is merged', async () => {
    const tenant = new Tenant(drover);
    const half = (field: string) => [{ externalId: 'x', [field]: 'x'.repeat(8 * MIB) }];
    expect((await tenant.uploaded('thing', half('a'))).outcomes).toEqual(['created']);
    const { items } = await tenant.uploaded('thing', half('b'));
    expect(items[0]?.errors).toMatchObject([{ code: 'validation', field: expect.stringMatching(/^[ab]$/) }]);
    expect((await tenant.stored('thing', 'x'))?.versionNumber).toBe(1);
  });

  test('a number that JavaScript reads as infinite: as null it would delete the field', async () => {
    const body = `{"resources":[{"externalId":"x","a":1e400},{"externalId":"y","a":{"b":[-1${'0'.repeat(400)}]}},{"externalId":"z","a":1e300}]}`;
    expect(await outcomesOf(new Tenant(drover), body)).toEqual(['validation of a', 'validation of /a/b/0', 'created']);
  });

  test('ten thousand long references of each of four items are missed, waited for and shown by their number', async () => {
    const tenant = new Tenant(drover);
    const to = (item: number) => Array.from({ length: 10_000 }, (_, n) => `${item}-${n}`.padEnd(150, 'm'));
    const resources = Array.from({ length: 4 }, (_, n) => ({ externalId: `${n}`, to: to(n) }));
    const failed = await tenant.uploaded('thing', resources);
    expect(failed.batch).toMatchObject({ status: 'failed', errors: { summary: { missing_dependency: 4 } } });
    for (const item of failed.items) expect(item).toMatchObject({ missingTotal: 10_000 });
    expect(failed.items[0]?.missingDependencies?.map(({ externalId }) => externalId)).toEqual(to(0).slice(0, 20));
    const id = await tenant.upload('thing', resources, WAIT);
    expect((await tenant.waiting(id)).counts.pending).toBe(4);
    expect(await largestDocuments()).toEqual([]);
    await drover.request('POST', `/api/batches/${id}/cancel`, tenant);
    expect((await tenant.ended(id)).counts.cancelled).toBe(4);
    expect(await waitsOf(drover.services.database, tenant.tenant)).toEqual([]);
    expect(await keyListsIn(drover.services.database).countDocuments({})).toBe(0);
  }, 240_000);

  test('an item that waits for more references than its outcome names is applied once the last one is there', async () => {
    const tenant = new Tenant(drover);
    const to = Array.from({ length: 30 }, (_, n) => `w${n}`);
    const id = await tenant.upload('thing', [{ externalId: 'waits', to }], WAIT);
    await tenant.waiting(id);
    const there = to.map((externalId) => ({ externalId }));
    await tenant.uploaded('thing', there.slice(0, -1));
    expect((await tenant.now(id)).status).toBe('waiting');
    await tenant.uploaded('thing', there.slice(-1));
    expect((await tenant.ended(id)).status).toBe('success');
  });
});

/** Size that no document should exceed, except pages of bodies and resources, in bytes. */
async function largestDocuments(): Promise<string[]> {
  const { db } = batchesIn(drover.services.database);
  const large: string[] = [];
  for (const { name } of await db.listCollections().toArray()) {
    if (name === 'item_pages' || name === 'resources') continue;
    for await (const document of db.collection(name).find({})) {
      const bytes = BSON.calculateObjectSize(document);
      if (bytes > 2 * MIB) large.push(`${name} ${document._id}: ${bytes} bytes`);
    }
  }
  return large;
}

test('a body that is not UTF-8 is a 400, and the next request is served', async () => {
  const tenant = new Tenant(drover);
  const bytes = Buffer.concat([
    Buffer.from('{"resources":[{"externalId":"'),
    Buffer.from([0xff, 0xc3, 0x28]),
    Buffer.from('"}]}'),
  ]);
  const { status, body } = await drover.request('POST', '/api/resources/thing/batch', {
    body: new Uint8Array(bytes),
    tenant: tenant.tenant,
  });
  expect([status, body.success, body.errors]).toEqual([400, false, ['body: is not valid UTF-8']]);
  expect((await tenant.uploaded('thing', [{ externalId: 'x' }])).outcomes).toEqual(['created']);
});
