import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { type ActivityContext, type Checkpoint, createActivityContext } from '../../../activities/activity-context.ts';
import { applyItems } from '../../../activities/apply-items.ts';
import { expireItems } from '../../../activities/expire-items.ts';
import { planBatch } from '../../../activities/plan-batch.ts';
import type { Instruction, ResourceBatch } from '../../../domain/batch/batch.ts';
import { noActions, noCounts } from '../../../domain/batch/outcome.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { requestControl } from '../../../store/batches/control-requests.ts';
import { recordFinished, recordStarted } from '../../../store/batches/run-state.ts';
import { createSchemaDefinition } from '../../../store/definitions/create-schema-definition.ts';
import { readOutcomes } from '../../../store/items/outcomes.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { type Body, insertAccepted } from '../accepted.ts';

/** What activities do after a suspension, a cancellation or the end of their batch is stored and before its workflow knows. */
const SCOPE = { platform: 'test', tenant: 'one' };
const PAGE_SIZE = 50;
/** More resources than one slice of an activity. */
const TWO_SLICES = 150;
const ACTIVITY_MS = 60_000;

let database: Database;
let context: ActivityContext;
let townId: string;
let atCheckpoint: ((at: Checkpoint) => void) | undefined;
const signalled: string[] = [];

beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `halted-${process.pid}-${Date.now().toString(36)}`);
  const getHandle = (workflowId: string) => ({ signal: async () => signalled.push(workflowId) });
  context = createActivityContext({
    database,
    client: { workflow: { getHandle } } as unknown as ActivityContext['client'],
    logger: pino({ level: 'silent' }),
    retentionDays: 0,
    planningMemory: new MemoryAllowance(64 * 1024 * 1024),
    taskQueue: 'none',
    activityTimeoutSeconds: ACTIVITY_MS / 1000,
    checkpoint: async (at) => atCheckpoint?.(at),
  });
  const made = await createSchemaDefinition(database, SCOPE.platform, {
    name: 'town',
    externalIdField: 'externalId',
    schema: { type: 'object', properties: { near: { $ref: 'reach:schemas/town' } } },
  });
  townId = 'created' in made ? made.created.id : '';
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});
afterEach(() => {
  atCheckpoint = undefined;
});

/** An attempt of an activity. */
function attempt<R>(number: number, activity: () => Promise<R>): Promise<R> {
  const info = {
    activityId: '1',
    attempt: number,
    startToCloseTimeoutMs: ACTIVITY_MS,
    workflowExecution: { workflowId: 'batch', runId: 'run' },
  };
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') }).run(activity);
}

async function started(instruction: Instruction<ResourceBatch>, bodies: readonly Body[]) {
  const about = { scope: SCOPE, schemaDefinitionId: townId, schemaName: 'town', pageSize: PAGE_SIZE };
  const _id = await insertAccepted(database, instruction, about, bodies);
  await recordStarted(database, { batchId: _id, run: 1 }, 'run');
  const indexes = bodies.map((_, index) => index);
  return { _id, input: { batchId: _id, run: 1, keepsLeft: true, indexes } as const };
}

const upload = (bodies: readonly Body[], dependencyWaitTimeout = 0) =>
  started(
    { operation: 'upload', options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout } },
    bodies,
  );
const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}` }));
const outcomesOf = (batch: { _id: string }, indexes: readonly number[]) =>
  readOutcomes(database, { _id: batch._id, pageSize: PAGE_SIZE }, indexes);

describe('an activity whose worker was killed after it had written, delivered again to a suspended batch', () => {
  test('reports what was written, wakes the batches that wait for it, and leaves the rest', async () => {
    const waiting = await upload([{ externalId: 'waits', near: 'begun-7' }], 600);
    await attempt(1, () => applyItems(context, waiting.input));
    const { _id, input } = await upload(towns('begun', TWO_SLICES));
    atCheckpoint = (at) => {
      if (at === 'inserted') throw new Error('killed');
    };
    await expect(attempt(1, () => applyItems(context, input))).rejects.toThrow('killed');
    atCheckpoint = undefined;
    const written = await resourcesIn(database).countDocuments({ externalId: /^begun-/ });
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(TWO_SLICES);
    expect((await outcomesOf({ _id }, input.indexes)).size).toBe(0);
    await requestControl(database, _id, { suspended: true });
    signalled.length = 0;
    const result = await attempt(2, () => applyItems(context, input));
    expect(result.tally.counts).toEqual({ succeeded: written });
    expect(result.left).toHaveLength(TWO_SLICES - written);
    expect(signalled).toEqual([`batch-${waiting._id}`]);
    expect(await resourcesIn(database).countDocuments({ externalId: /^begun-/ })).toBe(written);
    await requestControl(database, _id, { suspended: false });
    const rest = await attempt(1, () => applyItems(context, { ...input, indexes: result.left ?? [] }));
    expect(rest.tally).toMatchObject({ counts: { succeeded: TWO_SLICES - written } });
  });
});

describe('due items', () => {
  test.each([
    ['expire while their batch is suspended', { suspended: true }, 'expired'],
    ['are left to the finish of a batch that was cancelled', { cancelRequested: true }, 'pending'],
  ] as const)('%s', async (_, request, status) => {
    const { _id, input } = await upload([{ externalId: `due-${status}`, near: 'nowhere' }], 1);
    const { pending } = await attempt(1, () => applyItems(context, input));
    await requestControl(database, _id, request);
    const asOf = pending[0]?.expiresAt ?? 0;
    const result = await attempt(1, () => expireItems(context, { ...input, asOf }));
    expect(result.tally.counts).toEqual({ [status]: 1 });
    expect((await outcomesOf({ _id }, [0])).get(0)?.status).toBe(status);
  });
});

describe('the plan of a delete', () => {
  const deletion = { operation: 'delete', options: { cascade: false, deleteAll: false } } as const;

  test.each([
    ['suspended', { suspended: true }],
    ['cancelled', { cancelRequested: true }],
  ] as const)('is left where its batch is %s: nothing of it is stored', async (_, request) => {
    const { _id, input } = await started(deletion, [{ externalId: 'plan-0' }]);
    await requestControl(database, _id, request);
    expect(await attempt(1, () => planBatch(context, { ...input, cursor: 0 }))).toMatchObject({
      stages: [],
      isLeft: true,
    });
    expect(await database.collection('deletion_steps').countDocuments({ _id: new RegExp(`^${_id}`) as never })).toBe(0);
  });

  test('is made when the batch is resumed, and is not made if its run is over', async () => {
    await attempt(1, async () => applyItems(context, (await upload(towns('plan', 1))).input));
    const { _id, input } = await started(deletion, [{ externalId: 'plan-0' }]);
    const plan = () => attempt(1, () => planBatch(context, { ...input, cursor: 0 }));
    await requestControl(database, _id, { suspended: true });
    expect(await plan()).toMatchObject({ isLeft: true });
    await requestControl(database, _id, { suspended: false });
    const made = await plan();
    expect(made).toMatchObject({ stages: [[{ kind: 'step', items: 1 }]] });
    expect(made).not.toHaveProperty('isLeft');
    const result = { counts: noCounts(), actions: noActions(), errorCodes: {} };
    await recordFinished(database, { batchId: _id, run: 1 }, 'cancelled', result);
    expect(await plan()).toBeNull();
  });
});
