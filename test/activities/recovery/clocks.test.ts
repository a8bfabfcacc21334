import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import { isClosedFor } from '../../../activities/recovery/finish-lost.ts';
import { CLOCK_OFF_MS, CLOCKS_DIFFER_MS } from '../../../domain/clocks.ts';
import { attemptOfCommands } from '../../../isolation/attempts/attempt.ts';
import { bindKey, findBinding } from '../../../store/batches/idempotency-keys.ts';
import { beginChange, commitChange, endChange, keepChange } from '../../../store/definitions/schema-changes.ts';
import { currentSchemaVersion, schemaDefinitionsIn } from '../../../store/definitions/schema-definitions.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';

/** Processes whose clocks are off by at most 30 s each, or differ from those of servers. */
const DAY_MS = 24 * 60 * 60 * 1000;

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `clocks-${process.pid}-${Date.now()}`);
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});

/** Runs `act` with a clock that is off. */
async function withClock<T>(offMs: number, work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offMs });
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}

async function definition(): Promise<{ id: string; versionNumber: number }> {
  const id = randomUUID();
  await schemaDefinitionsIn(database).insertOne({ _id: id, active: true, versionNumber: 1 } as never);
  return { id, versionNumber: 1 };
}

test('the lease of a change holds for writers and other changes whose clock is 30 s ahead', async () => {
  const about = await definition();
  const change = await beginChange(database, about);
  if (change === null) throw new Error('not taken');
  const ahead = CLOCK_OFF_MS - 1_000;
  expect(await withClock(ahead, () => currentSchemaVersion(database, about.id))).toHaveProperty('changing');
  expect(await withClock(ahead, () => beginChange(database, about))).toBeNull();
  await commitChange(database, change, { schema: { type: 'object' } });
});

test('a change whose clock is 30 s behind keeps its lease', async () => {
  const about = await definition();
  const change = await withClock(1_000 - CLOCK_OFF_MS, () => beginChange(database, about));
  if (change === null) throw new Error('not taken');
  expect(await currentSchemaVersion(database, about.id)).toHaveProperty('changing');
  await withClock(1_000 - CLOCK_OFF_MS, () => keepChange(database, change));
  await endChange(database, change);
});

test('if clocks differ by more, the change is aborted, and commits nothing that a writer does not see', async () => {
  const about = await definition();
  const change = await beginChange(database, about);
  if (change === null) throw new Error('not taken');
  const seen = await withClock(3 * CLOCK_OFF_MS, () => currentSchemaVersion(database, about.id));
  expect(seen).not.toHaveProperty('changing');
  await expect(commitChange(database, change, { schema: { type: 'object' } })).rejects.toThrow('run out');
  expect((await currentSchemaVersion(database, about.id))?.versionNumber).toBe(1);
});

test.each([0, CLOCK_OFF_MS, -CLOCK_OFF_MS])(
  'an Idempotency-Key is kept for a day, whichever process binds it and whichever reads it (clock off by %d ms)',
  async (offMs) => {
    const [scope, key] = [{ platform: 'default', tenant: 'default' }, randomUUID()];
    const binding = { key, fingerprint: 'f', batch: { _id: randomUUID() } as never };
    await withClock(offMs, () => bindKey(database, scope, binding));
    expect(await withClock(DAY_MS - offMs - 1_000, () => findBinding(database, scope, key))).not.toBeNull();
    expect(await withClock(DAY_MS + 2 * CLOCKS_DIFFER_MS, () => findBinding(database, scope, key))).toBeNull();
  },
);

const info = (scheduledOffMs: number) => ({
  workflowExecution: { workflowId: 'w', runId: 'r' },
  activityId: '1',
  activityType: 'applyItems',
  attempt: 1,
  startToCloseTimeoutMs: 5_000,
  heartbeatTimeoutMs: 0,
  currentAttemptScheduledTimestampMs: Date.now() + scheduledOffMs,
});

test('a deadline does not begin too early if the clock of the worker is behind that of Temporal', () => {
  const began = Date.now();
  expect(attemptOfCommands(info(CLOCK_OFF_MS)).now().getTime()).toBeGreaterThanOrEqual(began + CLOCK_OFF_MS);
  // the wait does not begin at the time of an attempt that has waited long for a worker
  expect(attemptOfCommands(info(-DAY_MS)).now().getTime()).toBeGreaterThanOrEqual(began);
});

test.each([CLOCK_OFF_MS, 0, -CLOCK_OFF_MS])(
  'recovery waits for commands that a closed execution may still have under way (clock off by %d ms)',
  async (offMs) => {
    const closed = { runId: randomUUID(), closedAt: new Date(Date.now() + offMs) };
    const began = performance.now();
    expect(isClosedFor(closed, 300)).toBe(false);
    await expect.poll(() => isClosedFor(closed, 300), { interval: 20 }).toBe(true);
    expect(performance.now() - began).toBeGreaterThanOrEqual(300);
  },
);

test('recovery does not wait for an execution that was closed long ago', () => {
  expect(isClosedFor({ runId: randomUUID(), closedAt: new Date(Date.now() - DAY_MS) }, 300_000)).toBe(true);
});
