import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('node', {
    n: { type: 'integer' },
    next: { type: 'array', items: { $ref: 'reach:schemas/node' } },
  });
});
afterAll(() => drover.stop());

const WAIT = { dependencyWaitTimeout: 600 };
const node = (externalId: string, ...next: string[]) => ({ externalId, next });
const control = (tenant: Tenant, batchId: string, verb: string) =>
  drover.request('POST', `/api/batches/${batchId}/${verb}`, tenant);

/** A ring of `size`, one member a batch. */
async function ring(
  tenant: Tenant,
  size: number,
  names = Array.from({ length: size }, (_, n) => `r${n}`),
): Promise<string[]> {
  return Promise.all(names.map((name, n) => tenant.upload('node', [node(name, names[(n + 1) % size] ?? '')], WAIT)));
}

describe('a cycle whose members arrive in different batches', () => {
  test.each([2, 5])('of %i is applied once all of them are there', async (size) => {
    const tenant = new Tenant(drover);
    const names = Array.from({ length: size }, (_, n) => `r${n}`);
    const ids: string[] = [];
    for (const [n, name] of names.entries()) {
      for (const id of ids) expect((await tenant.waiting(id)).counts.pending).toBe(1);
      expect(await tenant.stored('node', 'r0')).toBeNull();
      ids.push(await tenant.upload('node', [node(name, names[(n + 1) % size] ?? '')], WAIT));
    }
    for (const id of ids)
      expect(await tenant.ended(id)).toMatchObject({ status: 'success', actions: { created: 1, updated: 0 } });
    for (const name of names) expect((await tenant.stored('node', name))?.versionNumber).toBe(1);
  });

  test('is applied when all members arrive at once, whichever batch is first', async () => {
    const tenants = Array.from({ length: 6 }, () => new Tenant(drover));
    await Promise.all(
      tenants.map(async (tenant, n) => {
        for (const id of await ring(tenant, 2 + (n % 4))) {
          expect(await tenant.ended(id)).toMatchObject({
            status: 'success',
            actions: { created: 1, updated: 0, unchanged: 0 },
          });
        }
      }),
    );
  });

  test('is applied with the other items that its members need, each once, and wakes batches that wait for them', async () => {
    const tenant = new Tenant(drover);
    const first = await tenant.upload(
      'node',
      [node('a', 'b', 'r'), node('r', 'x'), node('w', 'a'), node('y', 'never')],
      WAIT,
    );
    const tail = await tenant.upload('node', [node('t', 'w', 'b')], WAIT);
    await tenant.waiting(first);
    await tenant.waiting(tail);
    await control(tenant, first, 'suspend');
    const last = await tenant.upload('node', [node('b', 'a'), node('x')], WAIT);
    await tenant.waiting(last);
    // the first check finds r ready, and a cycle that needs r
    await control(tenant, first, 'resume');
    for (const id of [tail, last]) expect((await tenant.ended(id)).status).toBe('success');
    await drover.until(first, (batch) => batch.counts.succeeded >= 3, tenant);
    // time in which a second application would be counted
    await tenant.uploaded('node', [node('q')]);
    const { counts, actions } = await tenant.now(first);
    expect(counts).toMatchObject({ queued: 0, pending: 1, succeeded: 3 });
    expect(actions.created).toBe(3);
    await tenant.uploaded('node', [node('never')]);
    expect((await tenant.ended(first)).counts).toMatchObject({ succeeded: 4 });
  });

  test('waits while a member is invalid, and is applied with a valid one', async () => {
    const tenant = new Tenant(drover);
    const first = await tenant.upload('node', [node('a', 'b')], WAIT);
    await tenant.waiting(first);
    expect((await tenant.uploaded('node', [{ ...node('b', 'a'), n: 'one' }], WAIT)).outcomes).toEqual(['validation']);
    expect((await tenant.now(first)).status).toBe('waiting');
    expect((await tenant.uploaded('node', [node('b', 'a')], WAIT)).outcomes).toEqual(['created']);
    expect((await tenant.ended(first)).status).toBe('success');
  });

  test('waits for suspended members, and is applied when they are resumed', async () => {
    const tenant = new Tenant(drover);
    const suspended = await tenant.upload('node', [node('a', 'b')], WAIT);
    await tenant.waiting(suspended);
    expect((await control(tenant, suspended, 'suspend')).status).toBe(200);
    const other = await tenant.upload('node', [node('b', 'a')], WAIT);
    await tenant.waiting(other);
    await drover.services.client.workflow.getHandle(`batch-${other}`).signal('dependenciesAvailable', []);
    expect(await tenant.now(suspended)).toMatchObject({ suspended: true, counts: { pending: 1 } });
    expect((await tenant.now(other)).counts.pending).toBe(1);
    expect((await control(tenant, suspended, 'resume')).status).toBe(200);
    for (const id of [suspended, other]) expect((await tenant.ended(id)).status).toBe('success');
  });

  test('is applied without a cancelled member', async () => {
    const tenant = new Tenant(drover);
    const [cancelled = '', other = ''] = [
      await tenant.upload('node', [node('a', 'b')], WAIT),
      await tenant.upload('node', [node('c', 'b')], WAIT),
    ];
    await tenant.waiting(cancelled);
    await control(tenant, cancelled, 'cancel');
    expect((await tenant.ended(cancelled)).status).toBe('cancelled');
    const late = await tenant.upload('node', [node('b', 'a')], WAIT);
    expect((await tenant.waiting(late)).pendingResources?.[0]?.missingDependencies).toMatchObject([
      { externalId: 'a' },
    ]);
    expect((await tenant.uploaded('node', [node('a', 'b')], WAIT)).outcomes).toEqual(['created']);
    for (const id of [late, other]) expect((await tenant.ended(id)).status).toBe('success');
  });

  test('waits for a reference that one of its members began to miss later', async () => {
    const tenant = new Tenant(drover);
    await tenant.uploaded('node', [node('z')]);
    const first = await tenant.upload('node', [node('a', 'b', 'z')], WAIT);
    await tenant.waiting(first);
    await tenant.ended(await drover.delete('node', { externalIds: ['z'] }, tenant));
    const last = await tenant.upload('node', [node('b', 'a')], WAIT);
    await drover.until(
      first,
      (batch) => batch.pendingResources?.[0]?.missingDependencies.some(({ externalId }) => externalId === 'z') ?? false,
      tenant,
    );
    await tenant.uploaded('node', [node('z')]);
    for (const id of [first, last])
      expect(await tenant.ended(id)).toMatchObject({ status: 'success', actions: { created: 1 } });
  });
});
