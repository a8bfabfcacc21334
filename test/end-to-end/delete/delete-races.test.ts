import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseResourceKey } from '../../../domain/write/resource.ts';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '20' } });
  await drover.define('Node', {
    externalId: { type: 'string' },
    note: { type: 'number' },
    to: { type: 'array', items: { $ref: 'reach:schemas/Node' } },
  });
  await drover.define(
    'Pin',
    { externalId: { type: 'string' }, on: { $ref: 'reach:schemas/Node' } },
    { required: ['on'] },
  );
});
afterAll(() => drover.stop());

/** Rounds that run side by side, each in a tenant of its own. */
const CONCURRENT_TENANTS = 8;
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 40);
/** Longest pause of an activity at a checkpoint. */
const MAX_DELAY_MS = 60;
const NODES = ['a', 'b', 'c', 'd'];

/** The same numbers for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Uploads, patches and deletes of the same few resources, all at once, when all of them are there. */
async function race(round: number, tenant: { tenant: string }): Promise<string[]> {
  const random = randomOf(round);
  const some = (): string[] => NODES.filter(() => random(2) === 0);
  const one = (): string => NODES[random(NODES.length)] ?? 'a';
  const pins = (): object[] => NODES.map((externalId) => ({ externalId, on: one() }));
  const nodes = NODES.map((externalId) => ({ externalId, to: random(2) === 0 ? [] : [one()] }));
  await drover.ended(await drover.upload('Node', nodes, {}, tenant), tenant);
  return Promise.all([
    drover.upload('Pin', pins(), random(2) === 0 ? { dependencyWaitTimeout: 1 } : {}, tenant),
    drover.patch(
      'Node',
      [
        { externalId: one(), to: some() },
        { externalId: one(), note: round },
      ],
      {},
      tenant,
    ),
    drover.upload('Node', [{ externalId: one(), to: [one()] }], {}, tenant),
    drover.delete('Node', { externalIds: [one(), one()], cascade: random(2) === 0 }, tenant),
    random(3) === 0
      ? drover.delete('Node', { deleteAll: true, cascade: random(2) === 0 }, tenant)
      : drover.delete('Pin', { deleteAll: true }, tenant),
  ]);
}

/** @throws if a stored reference of a tenant dangles, or a mark is left. */
async function check(tenant: string): Promise<void> {
  const stored = await resourcesIn(drover.services.database)
    .find({ scope: `default/${tenant}` })
    .toArray();
  const keys = new Set(stored.map((resource) => resource._id));
  for (const { _id, references, leaving, hidden } of stored) {
    const dangling = references.filter((key) => !keys.has(key)).map(parseResourceKey);
    expect({ _id, dangling, leaving, hidden }).toEqual({ _id, dangling: [], leaving: undefined, hidden: undefined });
  }
}

test('after each round of racing uploads, patches and deletes no stored reference dangles, and no mark is left', {
  timeout: 400_000,
}, async () => {
  const { database } = drover.services;
  const rounds = Array.from({ length: ROUNDS }, (_, round) => round);
  // between two steps of an activity, others can interfere
  drover.atCheckpoint(() => sleep(Math.random() * MAX_DELAY_MS));
  const runRounds = async (number: number): Promise<void> => {
    const tenant = { tenant: `race-${number}` };
    for (let round = rounds.shift(); round !== undefined; round = rounds.shift()) {
      for (const batchId of await race(round, tenant)) {
        const batch = await drover.ended(batchId, { ...tenant, timeoutMs: 60_000 });
        expect(batch.errors?.summary.internal).toBeUndefined();
        const counted = Object.values(batch.counts).reduce((sum, n) => sum + n, 0);
        expect(counted).toBe(batch.progress.totalRecords);
      }
      await check(tenant.tenant);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_TENANTS }, (_, number) => runRounds(number)));
  expect(await intentsIn(database).countDocuments({})).toBe(0);
  // the steps of a batch are removed once it has ended
  await expect.poll(() => resourcesIn(database).db.collection('deletion_steps').countDocuments({})).toBe(0);
});
