import { ScheduleNotFoundError, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createActivityContext } from '../../../activities/activity-context.ts';
import { recover } from '../../../activities/recover.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { type BatchDocument, batchesIn, toBatchDocument } from '../../../store/batches/batches.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { createIndexes, INDEXES } from '../../../store/mongodb/indexes.ts';
import { batchWorkflowId, type RecoverResult } from '../../../workflows/messages.ts';

/** Recovery over 100,000 stored batches that wait; Temporal is simulated, so that its calls can be counted. */

const WAITING = 100_000;
const UNSTARTED = 100;
const INSERTED_AT_ONCE = 10_000;
/** Waiting batches that visibility does not list: some whose workflow runs all the same, some whose workflow is lost. */
const UNSEEN = [7, 11_000, 62_000];
const LOST = [500, 20_000];
/** Temporal's own limit is 10 a second for all callers together. */
const MAX_LISTS_A_SECOND = 5;

let database: Database;
const logger = pino({ level: 'silent' });
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `test-recovery-pace-${process.pid}`, {
    socketTimeoutMS: 60_000,
  });
  await createIndexes(database, INDEXES, logger);
});
afterAll(async () => {
  await batchesIn(database).deleteMany({});
  await database.close();
});

const acceptedAt = (msecs: number): BatchDocument =>
  toBatchDocument({
    _id: uuidv7({ msecs }),
    scope: { platform: 'default', tenant: 'default' },
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 86_400 },
    schemaDefinitionId: 'd',
    schemaName: 'thing',
    total: 1,
    pageSize: 50,
    createdAt: new Date(msecs),
  });

function waitingBatches(): BatchDocument[] {
  const first = Date.now() - 10 * WAITING;
  return Array.from({ length: WAITING }, (_, n): BatchDocument => {
    const { unstarted: _u, startDue: _s, ...batch } = acceptedAt(first + 10 * n);
    return { ...batch, status: 'waiting' };
  });
}

/** The calls of recovery to Temporal, and the simulated answers. */
class PlayedTemporal {
  readonly started = new Map<string, number>();
  readonly described: string[] = [];
  readonly lists: number[] = [];
  /** Workflows on a failing shard of Temporal's history: none of them starts. */
  readonly unwell = new Set<string>();
  readonly #visible: readonly string[];
  readonly #open: ReadonlySet<string>;

  constructor(visible: readonly string[], open: ReadonlySet<string>) {
    this.#visible = visible;
    this.#open = open;
  }

  client(): never {
    return {
      options: { namespace: 'default' },
      withDeadline: (_: number, call: () => Promise<unknown>) => call(),
      schedule: { getHandle: () => ({ delete: () => Promise.reject(new ScheduleNotFoundError('none', 'none')) }) },
      workflow: {
        start: async (type: string, { workflowId }: { workflowId: string }) => {
          if (this.unwell.has(workflowId)) throw new Error('the shard does not answer');
          if (this.started.has(workflowId)) throw new WorkflowExecutionAlreadyStartedError('again', workflowId, type);
          this.started.set(workflowId, Date.now());
        },
        getHandle: (workflowId: string) => ({ describe: () => this.#describe(workflowId) }),
      },
      workflowService: { listWorkflowExecutions: ({ query }: { query: string }) => this.#list(query) },
    } as never;
  }

  async #describe(workflowId: string) {
    this.described.push(workflowId);
    if (!this.#open.has(workflowId)) throw new WorkflowNotFoundError('none', workflowId, undefined);
    return { runId: 'r', status: { name: 'RUNNING' }, memo: {}, closeTime: undefined, raw: {} };
  }

  async #list(query: string) {
    this.lists.push(Date.now());
    const [from, to] = [/WorkflowId >= '([^']+)'/, /WorkflowId <= '([^']+)'/].map(
      (bound) => bound.exec(query)?.[1] ?? '',
    );
    expect(query).toContain('CloseTime IS NULL');
    const found = this.#visible.filter((id) => id >= (from ?? '') && id <= (to ?? ''));
    const [type, taskQueue] = [{ name: 'batchWorkflow' }, 'pace'];
    return { executions: found.map((workflowId) => ({ execution: { workflowId, runId: 'r' }, type, taskQueue })) };
  }
}

const contextWith = (temporal: PlayedTemporal) =>
  createActivityContext({
    database,
    client: temporal.client(),
    logger,
    taskQueue: 'pace',
    activityTimeoutSeconds: 20,
    retentionDays: 30,
    planningMemory: new MemoryAllowance(1_000_000),
  });

test('100 batches that were never started are started within seconds beside 100,000 waiting ones, with few calls to Temporal', async () => {
  const waiting = waitingBatches();
  for (let at = 0; at < WAITING; at += INSERTED_AT_ONCE)
    await batchesIn(database).insertMany(waiting.slice(at, at + INSERTED_AT_ONCE), { ordered: false });
  const unstarted = Array.from({ length: UNSTARTED }, () => acceptedAt(Date.now()));
  await batchesIn(database).insertMany(unstarted.map((batch) => ({ ...batch, startDue: new Date() })));
  const ids = waiting.map(({ _id }) => batchWorkflowId(_id));
  const unlisted = new Set([...UNSEEN, ...LOST].map((n) => ids[n] ?? ''));
  const temporal = new PlayedTemporal(
    ids.filter((id) => !unlisted.has(id)),
    new Set(UNSEEN.map((n) => ids[n] ?? '')),
  );
  const context = contextWith(temporal);
  const activity = new MockActivityEnvironment();
  const began = Date.now();
  const running = activity.run(() => recover(context, { forMs: 600_000 }));
  running.catch(() => undefined);
  const isStarted = (id: string): boolean => temporal.started.has(batchWorkflowId(id));
  await expect.poll(() => unstarted.filter(({ _id }) => isStarted(_id)).length, { timeout: 60_000 }).toBe(UNSTARTED);
  expect(Date.now() - began).toBeLessThan(60_000);
  await expect.poll(() => batchesIn(database).countDocuments({ unstarted: true }), { timeout: 10_000 }).toBe(0);
  // meanwhile the pass over the waiting batches reaches those whose workflow is lost
  await expect.poll(() => LOST.every((n) => temporal.started.has(ids[n] ?? '')), { timeout: 120_000 }).toBe(true);
  activity.cancel();
  await expect(running).rejects.toThrow();
  expect(temporal.described.filter((id) => !unlisted.has(id))).toEqual([]);
  expect(temporal.described.length).toBeLessThanOrEqual(2 * unlisted.size);
  for (const at of temporal.lists) {
    expect(temporal.lists.filter((other) => other >= at && other < at + 1_000).length).toBeLessThanOrEqual(
      MAX_LISTS_A_SECOND,
    );
  }
  expect(temporal.started.size).toBe(UNSTARTED + LOST.length);
}, 300_000);

test('two recoveries at once start each batch once', async () => {
  await batchesIn(database).deleteMany({});
  await batchesIn(database).insertMany(
    Array.from({ length: UNSTARTED }, () => ({ ...acceptedAt(Date.now()), startDue: new Date() })),
  );
  const temporal = new PlayedTemporal([], new Set());
  const context = contextWith(temporal);
  const pass = (): Promise<RecoverResult> =>
    new MockActivityEnvironment().run(() => recover(context, { forMs: 3_000 })) as Promise<RecoverResult>;
  const results = await Promise.all([pass(), pass()]);
  expect(results.reduce((sum, { started }) => sum + started, 0)).toBe(UNSTARTED);
  expect(await batchesIn(database).countDocuments({ unstarted: true })).toBe(0);
}, 60_000);

test('batches of a failing shard are retried at growing intervals, and do not prevent others from being started', async () => {
  await batchesIn(database).deleteMany({});
  const [bad, good] = [25, UNSTARTED];
  const overdue = (ms: number) => ({ ...acceptedAt(Date.now()), startDue: new Date(Date.now() - ms) });
  const [unwell, well] = [
    Array.from({ length: bad }, () => overdue(60_000)),
    Array.from({ length: good }, () => overdue(1_000)),
  ];
  await batchesIn(database).insertMany([...unwell, ...well]);
  const temporal = new PlayedTemporal([], new Set());
  for (const { _id } of unwell) temporal.unwell.add(batchWorkflowId(_id));
  const activity = new MockActivityEnvironment();
  const running = activity.run(() => recover(contextWith(temporal), { forMs: 600_000 }));
  running.catch(() => undefined);
  const left = () => batchesIn(database).find({ unstarted: true }).toArray();
  await expect.poll(async () => (await left()).length, { timeout: 30_000 }).toBe(bad);
  expect(temporal.started.size).toBe(good);
  await expect
    .poll(async () => Math.min(...(await left()).map(({ startFailures = 0 }) => startFailures)), { timeout: 30_000 })
    .toBeGreaterThanOrEqual(2);
  for (const { startDue, startFailures = 0 } of await left())
    expect(startDue?.getTime()).toBeGreaterThan(Date.now() - 5_000 + 1_000 * startFailures);
  temporal.unwell.clear();
  await expect.poll(async () => (await left()).length, { timeout: 40_000 }).toBe(0);
  expect(await batchesIn(database).countDocuments({ startFailures: { $exists: true } })).toBe(0);
  activity.cancel();
  await expect(running).rejects.toThrow();
}, 120_000);

test('a retry whose earlier run does not close does not count as started', async () => {
  await batchesIn(database).deleteMany({});
  const batch: BatchDocument = { ...acceptedAt(Date.now()), run: 2, startDue: new Date() };
  await batchesIn(database).insertOne(batch);
  const workflowId = batchWorkflowId(batch._id);
  const temporal = new PlayedTemporal([workflowId], new Set([workflowId]));
  temporal.started.set(workflowId, Date.now());
  await new MockActivityEnvironment().run(() => recover(contextWith(temporal), { forMs: 500 }));
  expect(await batchesIn(database).findOne({ _id: batch._id })).toMatchObject({ unstarted: true, startFailures: 1 });
}, 30_000);

test('recovery that was timed out stops at any point, and reports nothing', async () => {
  const activity = new MockActivityEnvironment();
  const running = activity.run(() => recover(contextWith(new PlayedTemporal([], new Set())), { forMs: 600_000 }));
  activity.cancel();
  await expect(running).rejects.toThrow();
});
