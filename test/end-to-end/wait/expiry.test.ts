import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';
import { waitsOf } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';

/** Two Drovers on the same data, each with a task queue of its own: one worker can be stopped while the other works. */
let drover: Drover;
let other: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  other = await Drover.start({ environment: { MONGODB_DATABASE: drover.config.MONGODB_DATABASE } });
  await drover.define('country', {});
  await drover.define('city', { country: { $ref: 'reach:schemas/country' } });
});
afterAll(async () => {
  await drover.stop();
  await other.stop();
});

const city = (externalId: string, country: string) => ({ externalId, country });

async function dependenciesOf({ tenant }: Tenant) {
  return waitsOf(drover.services.database, tenant);
}

/** The moment after a deadline. */
async function past(deadline: string | undefined): Promise<void> {
  await sleep(Date.parse(deadline ?? '') - Date.now() + 1);
}

describe.concurrent('a pending item whose deadline passes', () => {
  test('expires within 2 s', async () => {
    const lateness: number[] = [];
    // the best of several tries: other work on the machine does not make the test fail
    while (lateness.length < 4 && !lateness.some((ms) => ms < 2_000)) {
      const { batch, items } = await new Tenant(drover).uploaded('city', [city('B', 'DE')], {
        dependencyWaitTimeout: 1,
      });
      const deadline = /waited until (\S+)/.exec(items[0]?.errors?.[0]?.message ?? '')?.[1] ?? '';
      lateness.push(Date.parse(batch.completedAt ?? '') - Date.parse(deadline));
    }
    expect(Math.min(...lateness)).toBeLessThan(2_000);
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
  });

  test('expires for itself, and leaves nothing behind', async () => {
    const tenant = new Tenant(drover);
    const some = [city('B', 'DE'), city('P', 'FR'), { externalId: 'X' }];
    const { batch, items } = await tenant.uploaded('city', some, { dependencyWaitTimeout: 1 });
    expect(batch).toMatchObject({
      status: 'partial_success',
      counts: { pending: 0, succeeded: 1, expired: 2 },
      progress: { processedRecords: 3, failedRecords: 2 },
      errors: { summary: { dependency_expired: 2 } },
    });
    expect(batch.pendingUntil).toBeUndefined();
    expect(items[0]).toMatchObject({
      status: 'expired',
      errors: [{ code: 'dependency_expired' }],
      missingDependencies: [{ schemaName: 'country', externalId: 'DE' }],
    });
    expect(await dependenciesOf(tenant)).toEqual([]);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect(await tenant.stored('city', 'B')).toBeNull();
  });

  test('expires while its batch is suspended, and is not applied although its reference is there', async () => {
    const tenant = new Tenant(drover);
    const id = await tenant.upload('city', [city('B', 'DE')], { dependencyWaitTimeout: 3 });
    await tenant.waiting(id);
    await drover.request('POST', `/api/batches/${id}/suspend`, tenant);
    await tenant.uploaded('country', [{ externalId: 'DE' }]);
    expect((await tenant.ended(id)).counts).toMatchObject({ expired: 1 });
    expect(await tenant.stored('city', 'B')).toBeNull();
  });

  test('while no worker runs, is applied if its reference appeared in time, and expires if not', async () => {
    const [tenant, second] = [new Tenant(other), new Tenant(other)];
    const start = (of: Tenant) => of.upload('city', [city('B', 'DE'), city('P', 'DE')], { dependencyWaitTimeout: 4 });
    const [applied, expired] = await Promise.all([start(tenant), start(second)]);
    const deadlines = [(await tenant.waiting(applied)).pendingUntil, (await second.waiting(expired)).pendingUntil];
    await other.stopWorker();
    // created by a batch of the worker that runs
    const bringer = await drover.upload('country', [{ externalId: 'DE' }], {}, tenant);
    const brought = await drover.ended(bringer, tenant);
    expect(brought.completedAt !== undefined && brought.completedAt < (deadlines[0] ?? '')).toBe(true);
    for (const deadline of deadlines) await past(deadline);
    expect(await other.batch(expired, second)).toMatchObject({ source: 'store', counts: { pending: 2 } });
    await other.startWorker();
    expect(await tenant.ended(applied)).toMatchObject({ status: 'success', actions: { created: 2 } });
    expect(await second.ended(expired)).toMatchObject({ status: 'failed', counts: { expired: 2 } });
  });
});
