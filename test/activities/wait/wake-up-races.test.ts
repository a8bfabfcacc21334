import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import fc from 'fast-check';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type ActivityContext, type Checkpoint, createActivityContext } from '../../../activities/activity-context.ts';
import { applyItems } from '../../../activities/apply-items.ts';
import { lookForDependencies } from '../../../activities/look-for-dependencies.ts';
import { resourceKey } from '../../../domain/write/resource.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { insertBatch } from '../../../store/batches/batches.ts';
import { createSchemaDefinition } from '../../../store/definitions/create-schema-definition.ts';
import { writeItemPages } from '../../../store/items/item-pages.ts';
import { readOutcomes } from '../../../store/items/outcomes.ts';
import { claimPending, unclaimPending } from '../../../store/items/pending-items.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';
import type { ItemsOfBatch } from '../../../workflows/messages.ts';
import { isBlocked } from '../deletions.ts';

/**
 * The activities of batches of one item, with the steps of one activity between those of another: many more orders than can be produced
 * with whole batches (test/end-to-end/wait/wake-up-races.test.ts does that for a few orders).
 */
const ROUNDS = 200;
const RANDOM_ORDERS = 50;
/**
 * Longest time of the rounds of one case, in ms: on an idle machine they take a few seconds, but beside other tests on two cores 0.2 to 0.3 s a
 * round were measured, most of it waiting for MongoDB, in earlier versions too.
 */
const CASE_MS = 300_000;
const ACTIVITY_MS = 60_000;
const SCOPE = { platform: 'test', tenant: 'one' };

let database: Database;
let context: ActivityContext;
let nodeId: string;
let atCheckpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined;
/** Batches that have an unhandled signal. */
const signalled = new Set<string>();

beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `wake-up-${process.pid}-${Date.now().toString(36)}`);
  const getHandle = (workflowId: string) => ({ signal: async () => signalled.add(workflowId.replace('batch-', '')) });
  context = createActivityContext({
    database,
    client: { workflow: { getHandle } } as unknown as ActivityContext['client'],
    logger: pino({ level: 'silent' }),
    retentionDays: 0,
    planningMemory: new MemoryAllowance(0),
    taskQueue: 'none',
    activityTimeoutSeconds: ACTIVITY_MS / 1000,
    checkpoint: async (at, batchId) => atCheckpoint?.(at, batchId),
  });
  const made = await createSchemaDefinition(database, SCOPE.platform, {
    name: 'node',
    externalIdField: 'externalId',
    schema: { type: 'object', properties: { next: { type: 'array', items: { $ref: 'reach:schemas/node' } } } },
  });
  nodeId = 'created' in made ? made.created.id : '';
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});

let activities = 0;
/** Runs an activity until it no longer blocks another one. */
async function run<R>(activity: (of: ActivityContext, input: ItemsOfBatch) => Promise<R>, batchId: string): Promise<R> {
  activities += 1;
  for (let attempt = 1; ; attempt++) {
    const environment = new MockActivityEnvironment(
      {
        activityId: String(activities),
        attempt,
        startToCloseTimeoutMs: ACTIVITY_MS,
        workflowExecution: { workflowId: `batch-${batchId}`, runId: 'run' },
      },
      { logger: new DefaultLogger('ERROR') },
    );
    try {
      return await environment.run(() => activity(context, { batchId, run: 1, indexes: [0] }));
    } catch (error) {
      if (!isBlocked(error)) throw error;
      await atCheckpoint?.('checked', batchId);
    }
  }
}

/** A batch of one item that waits for a missing reference. */
async function accept(externalId: string, ...next: string[]): Promise<string> {
  const _id = uuidv7();
  await writeItemPages(database, { batchId: _id }, [{ externalId, body: JSON.stringify({ externalId, next }) }], 50);
  await insertBatch(database, {
    _id,
    scope: SCOPE,
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 600 },
    schemaDefinitionId: nodeId,
    schemaName: 'node',
    total: 1,
    pageSize: 50,
    createdAt: new Date(),
  });
  return _id;
}

/** As its workflow does: apply, then check, and check again after each signal. Ends with the item pending, or with a terminal outcome. */
async function runWorkflow(batchId: string): Promise<void> {
  if ((await run(applyItems, batchId)).pending.length === 0) return;
  signalled.add(batchId);
  await handleSignals(batchId);
}

async function handleSignals(batchId: string): Promise<void> {
  while (signalled.delete(batchId)) {
    const { settled, ready, lookAgain } = await run(lookForDependencies, batchId);
    if (settled.length > 0) return;
    if (ready.length > 0 && (await run(applyItems, batchId)).pending.length === 0) return;
    if (ready.length > 0 || lookAgain) signalled.add(batchId);
  }
}

/** Handles signals until there are none: then every batch must be done. */
async function expectAllApplied(...batchIds: string[]): Promise<void> {
  atCheckpoint = undefined;
  for (let some = batchIds; some.length > 0; some = batchIds.filter((id) => signalled.has(id))) {
    for (const id of some) await handleSignals(id);
  }
  for (const _id of batchIds) {
    const outcomes = await readOutcomes(database, { _id, pageSize: 50 }, [0]);
    expect(outcomes.get(0)).toMatchObject({ status: 'succeeded', action: 'created' });
  }
}

let names = 0;
const newNames = (): [string, string] => {
  names += 1;
  return [`a${names}`, `b${names}`];
};

/** Runs `one`; when it first reaches a checkpoint, runs all of `other`. */
async function interrupt(one: string, checkpoint: Checkpoint, other: string): Promise<void> {
  let isDone = false;
  atCheckpoint = async (at, batchId) => {
    if (isDone || batchId !== one || at !== checkpoint) return;
    isDone = true;
    await runWorkflow(other);
  };
  await runWorkflow(one);
  expect(isDone).toBe(true);
}

describe('no wake-up is lost', () => {
  test.each<[Checkpoint, number]>([
    ['intent-laid', 20],
    ['checked', ROUNDS],
    ['outcomes-stored', 20],
    ['registered', ROUNDS],
    ['references-checked', 20],
  ])('where the dependency is created while who waits is at "%s"', { timeout: CASE_MS }, async (checkpoint, rounds) => {
    for (let round = 0; round < rounds; round++) {
      const [a, b] = newNames();
      const [waiting, creating] = [await accept(a, b), await accept(b)];
      await interrupt(waiting, checkpoint, creating);
      await expectAllApplied(waiting, creating);
    }
  });

  test.each<[Checkpoint, number]>([
    ['intent-laid', 20],
    ['checked', 20],
    ['inserted', ROUNDS],
    ['outcomes-stored', ROUNDS],
    ['registered', 20],
  ])(
    'if an item begins to wait for a resource while its creator is at "%s"',
    { timeout: CASE_MS },
    async (checkpoint, rounds) => {
      for (let round = 0; round < rounds; round++) {
        const [a, b] = newNames();
        const [waiting, creating] = [await accept(a, b), await accept(b)];
        await interrupt(creating, checkpoint, waiting);
        await expectAllApplied(waiting, creating);
      }
    },
  );

  test.each<[Checkpoint, number]>([
    ['checked', 20],
    ['outcomes-stored', 20],
    ['registered', 20],
    ['references-checked', 20],
  ])(
    'if the other half of a cycle arrives while one half is at "%s"',
    { timeout: CASE_MS },
    async (checkpoint, rounds) => {
      for (let round = 0; round < rounds; round++) {
        const [a, b] = newNames();
        const [one, other] = [await accept(a, b), await accept(b, a)];
        await interrupt(one, checkpoint, other);
        await expectAllApplied(one, other);
      }
    },
  );

  test.each([
    ['one item that waits and two that create its targets', ['a b c', 'b', 'c']],
    ['a chain', ['a b', 'b c', 'c']],
    ['two halves of a cycle', ['a b', 'b a']],
    ['a cycle of three and what one of them needs', ['a b', 'b c x', 'c a', 'x']],
    ['two cycles, one of which needs the other', ['a b', 'b a c', 'c d', 'd c']],
  ])('in whatever order the steps are run: %s', { timeout: CASE_MS }, async (_, items) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const [prefix] = newNames();
        const ids: string[] = [];
        for (const item of items) {
          const [name = '', ...next] = item.split(' ').map((each) => prefix + each);
          ids.push(await accept(name, ...next));
        }
        atCheckpoint = () => scheduler.schedule(Promise.resolve());
        await scheduler.waitFor(Promise.all(ids.map((id) => runWorkflow(id))));
        await expectAllApplied(...ids);
      }),
      { numRuns: RANDOM_ORDERS },
    );
  });
});

describe('a check asks its workflow for another check, because no other batch may signal it', () => {
  test('if another batch has claimed a member of the cycle, and may release it unchanged', async () => {
    const [a, b] = newNames();
    const [one, other] = [await accept(a, b), await accept(b, a)];
    for (const id of [one, other]) await run(applyItems, id);
    const anotherBatch = { _id: 'another batch', run: 1 };
    const member = { key: resourceKey(SCOPE, nodeId, b), batchId: other, index: 0 };
    expect(await claimPending(database, anotherBatch, [member])).toBe(true);
    expect(await run(lookForDependencies, one)).toMatchObject({ settled: [], ready: [], lookAgain: true });
    expect(await readOutcomes(database, { _id: one, pageSize: 50 }, [0])).toMatchObject(
      new Map([[0, { status: 'pending' }]]),
    );
    await unclaimPending(database, anotherBatch, [member]);
    expect(await run(lookForDependencies, one)).toMatchObject({ settled: [0], lookAgain: false });
    await expectAllApplied(one, other);
  });

  test('if a member misses a resource that was there when the item arrived', async () => {
    const [a, b] = newNames();
    await runWorkflow(await accept(`${a}z`));
    const [one, other] = [await accept(a, b, `${a}z`), await accept(b, a)];
    for (const id of [one, other]) await run(applyItems, id);
    await resourcesIn(database).deleteOne({ _id: resourceKey(SCOPE, nodeId, `${a}z`) });
    expect(await run(lookForDependencies, one)).toMatchObject({ settled: [], lookAgain: true });
    expect(await run(lookForDependencies, one)).toMatchObject({ settled: [], ready: [], lookAgain: false });
    signalled.clear();
    const back = await accept(`${a}z`);
    await runWorkflow(back);
    expect(signalled).toContain(one);
    await expectAllApplied(one, other, back);
  });
});
