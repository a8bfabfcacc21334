import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { schemaDefinitionsIn } from '../../../store/definitions/schema-definitions.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';

/**
 * Pending items that could be applied, but other processes are at work on something that they need (here: a definition is being changed for
 * as long as the test wants): the deadlines of the batch do not wait for that.
 */

const TEST_MS = 90_000;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '30' } });
});
afterAll(() => drover.stop());
afterEach(() => drover.atCheckpoint(undefined));

/** Blocks writers of a definition. */
async function hold(definitionId: string): Promise<void> {
  const changing = { change: 'held', leaseUntil: new Date(Date.now() + 3_600_000) };
  await schemaDefinitionsIn(drover.services.database).updateOne({ _id: definitionId }, { $set: { changing } });
}

async function release(definitionId: string): Promise<void> {
  await schemaDefinitionsIn(drover.services.database).updateOne({ _id: definitionId }, { $unset: { changing: '' } });
}

/**
 * Two batches whose items refer to each other; the definition is held as soon as the second batch sees the cycle closed.
 * @returns the batches, and a function that waits until the second batch has checked so many times.
 */
async function heldCycle(name: string, waitSeconds: number) {
  const definition = await drover.define(name, { to: { $ref: `reach:schemas/${name}` } });
  const query = { dependencyWaitTimeout: waitSeconds };
  const left = await drover.upload(name, [{ externalId: 'left', to: 'right' }], query);
  await drover.waiting(left);
  let checks = 0;
  const watchers = new Map<number, () => void>();
  drover.atCheckpoint(async (at, batchId) => {
    if (at !== 'references-checked' || batchId === left) return;
    checks += 1;
    if (checks === 1) await hold(definition);
    watchers.get(checks)?.();
  });
  const right = await drover.upload(name, [{ externalId: 'right', to: 'left' }], query);
  const checked = (times: number) =>
    new Promise<void>((resolve) => (checks >= times ? resolve() : watchers.set(times, resolve)));
  return { definition, left, right, checked };
}

const stored = (schemaDefinitionId: string) =>
  resourcesIn(drover.services.database).find({ schemaDefinitionId }).toArray();

test('members of a cycle over two batches expire at their deadlines, while the cycle cannot be applied', {
  timeout: TEST_MS,
}, async () => {
  const { definition, left, right } = await heldCycle('ring', 3);
  for (const id of [left, right])
    expect(await drover.ended(id)).toMatchObject({ status: 'failed', counts: { expired: 1, pending: 0 } });
  await release(definition);
  expect(await stored(definition)).toEqual([]);
  const both = [
    { externalId: 'left', to: 'right' },
    { externalId: 'right', to: 'left' },
  ];
  expect((await drover.ended(await drover.upload('ring', both))).status).toBe('success');
});

test('a cycle is applied once, as soon as this is possible', { timeout: TEST_MS }, async () => {
  const { definition, left, right, checked } = await heldCycle('loop', 600);
  await checked(3);
  expect((await drover.batch(left)).counts.pending).toBe(1);
  await release(definition);
  for (const id of [left, right])
    expect(await drover.ended(id)).toMatchObject({ status: 'success', actions: { created: 1 } });
  expect((await stored(definition)).map(({ version, hidden }) => [version, hidden])).toEqual([
    [1, undefined],
    [1, undefined],
  ]);
});

test('neither an item whose reference is there but which cannot be applied nor its neighbour outlasts its deadline', {
  timeout: TEST_MS,
}, async () => {
  await drover.define('land', {});
  const definition = await drover.define('town', { land: { $ref: 'reach:schemas/land' } });
  const towns = [
    { externalId: 'a', land: 'X' },
    { externalId: 'b', land: 'nowhere' },
  ];
  const id = await drover.upload('town', towns, { dependencyWaitTimeout: 3 });
  await drover.waiting(id);
  await hold(definition);
  await drover.ended(await drover.upload('land', [{ externalId: 'X' }]));
  expect(await drover.ended(id)).toMatchObject({ status: 'failed', counts: { expired: 2, pending: 0 } });
  await release(definition);
  expect(await stored(definition)).toEqual([]);
});

test('an item that could not be applied is pending as before, and is applied once this is possible', {
  timeout: TEST_MS,
}, async () => {
  await drover.define('region', {});
  const definition = await drover.define('village', { region: { $ref: 'reach:schemas/region' } });
  const id = await drover.upload('village', [{ externalId: 'v', region: 'R' }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  await hold(definition);
  let checks = 0;
  const again = new Promise<void>((resolve) => {
    drover.atCheckpoint(async (at, batchId) => {
      if (at === 'references-checked' && batchId === id) checks += 1;
      if (checks === 3) resolve();
    });
  });
  await drover.upload('region', [{ externalId: 'R' }]);
  await again;
  await release(definition);
  expect(await drover.ended(id)).toMatchObject({ status: 'success', actions: { created: 1 } });
});
