import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyListsIn } from '../../../store/items/key-lists.ts';
import { Drover } from '../../harness/drover.ts';

/** Items that miss more references than their outcome holds, and whose stored list is lost, as a late process of an earlier run may cause. */

/** More than an outcome holds. */
const MISSED = 25;
const towns = Array.from({ length: MISSED }, (_, n) => `t${n}`);

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('town', { near: { type: 'array', items: { $ref: 'reach:schemas/town' } } });
});
afterAll(() => drover.stop());

/** A batch that waits for all of these, and whose list is lost. */
async function withoutList(externalId: string, near: readonly string[], waitSeconds: number): Promise<string> {
  const id = await drover.upload('town', [{ externalId, near }], { dependencyWaitTimeout: waitSeconds });
  await drover.waiting(id);
  const { deletedCount } = await keyListsIn(drover.services.database).deleteMany({ _id: new RegExp(`^${id}/`) });
  expect(deletedCount).toBeGreaterThan(0);
  return id;
}

describe('an item whose list of missing references is lost', () => {
  test('expires at its deadline, and lets its batch end', async () => {
    const id = await withoutList('late', towns, 4);
    expect((await drover.ended(id, { timeoutMs: 30_000 })).counts).toMatchObject({ expired: 1, pending: 0 });
  });

  test('is woken by the references that its outcome names, waits for the rest, and is applied when the last one has appeared', async () => {
    const near = towns.map((town) => `of-${town}`);
    const id = await withoutList('woken', near, 600);
    const come = (some: readonly string[]) =>
      drover.upload(
        'town',
        some.map((externalId) => ({ externalId })),
      );
    await drover.ended(await come(near.slice(0, -1)));
    const rest = await drover.until(
      id,
      ({ pendingResources: [pending] = [] }) => pending?.missingDependencies.length === 1,
    );
    expect(rest).toMatchObject({ status: 'waiting', counts: { pending: 1 } });
    await drover.ended(await come(near.slice(-1)));
    expect(await drover.ended(id)).toMatchObject({ status: 'success', actions: { created: 1 } });
  });
});
