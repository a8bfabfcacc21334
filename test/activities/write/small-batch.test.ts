import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { type ActivityContext, type Checkpoint, createActivityContext } from '../../../activities/activity-context.ts';
import { noResult } from '../../../activities/finish-batch.ts';
import { createActivities } from '../../../activities/index.ts';
import type { BatchSummary } from '../../../domain/batch/batch.ts';
import { addTally } from '../../../domain/batch/tally.ts';
import { MAX_REFERENCES } from '../../../domain/limits.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { batchesIn, readBatch } from '../../../store/batches/batches.ts';
import { requestControl } from '../../../store/batches/control-requests.ts';
import { createSchemaDefinition } from '../../../store/definitions/create-schema-definition.ts';
import { schemaDefinitionsIn } from '../../../store/definitions/schema-definitions.ts';
import { readOutcomes } from '../../../store/items/outcomes.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';
import type { SmallBatchResult, WorkResult } from '../../../workflows/messages.ts';
import { type Body, insertAccepted } from '../accepted.ts';
import { holdFirstAt } from '../held-checkpoint.ts';

/** A batch of few items is planned, applied and finished by one activity, however often that is called. */
const SCOPE = { platform: 'test', tenant: 'one' };
const PAGE_SIZE = 50;
const ACTIVITY_MS = 60_000;

let database: Database;
let context: ActivityContext;
let townId: string;
const held: { atCheckpoint: ActivityContext['checkpoint'] } = { atCheckpoint: undefined };

beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `small-${process.pid}-${Date.now().toString(36)}`);
  context = createActivityContext({
    database,
    client: {} as unknown as ActivityContext['client'],
    logger: pino({ level: 'silent' }),
    retentionDays: 0,
    planningMemory: new MemoryAllowance(64 * 1024 * 1024),
    taskQueue: 'none',
    activityTimeoutSeconds: ACTIVITY_MS / 1000,
    checkpoint: async (at, batchId) => held.atCheckpoint?.(at, batchId),
  });
  const made = await createSchemaDefinition(database, SCOPE.platform, {
    name: 'town',
    externalIdField: 'externalId',
    schema: { type: 'object', properties: { near: { $ref: 'reach:schemas/town' }, size: { type: 'integer' } } },
  });
  townId = 'created' in made ? made.created.id : '';
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});
afterEach(() => {
  held.atCheckpoint = undefined;
});

let scheduled = Date.now();

interface Call {
  readonly activityId?: string;
  readonly isLocal?: boolean;
  readonly resourcesPerActivity?: number;
  readonly attempt?: number;
}

/** The environment of an attempt. Each is scheduled later than the one before. */
function environmentOf(batchId: string, activityType: string, { activityId = '1', isLocal = true, attempt = 1 }: Call) {
  scheduled += 1_000;
  const info = {
    activityId,
    activityType,
    attempt,
    isLocal,
    startToCloseTimeoutMs: ACTIVITY_MS,
    scheduledTimestampMs: scheduled,
    currentAttemptScheduledTimestampMs: scheduled,
    workflowExecution: { workflowId: `batch-${batchId}`, runId: 'run' },
  };
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
}

/** Calls the activity as the workflow of a batch does. */
function run(batchId: string, total: number, { resourcesPerActivity, ...call }: Call = {}): Promise<SmallBatchResult> {
  const environment = environmentOf(batchId, 'runSmallBatch', call);
  const { runSmallBatch } = createActivities({ ...context, ...(resourcesPerActivity && { resourcesPerActivity }) });
  const input = { batchId, run: 1, keepsLeft: true, pageSize: PAGE_SIZE, total, asOf: scheduled } as const;
  return environment.run<[], SmallBatchResult, () => Promise<SmallBatchResult>>(() => runSmallBatch(input));
}

/** Calls the activity that applies items. */
function apply(batchId: string, indexes: readonly number[], attempt = 1): Promise<WorkResult> {
  const environment = environmentOf(batchId, 'applyItems', { activityId: '9', isLocal: false, attempt });
  return environment.run<[], WorkResult, () => Promise<WorkResult>>(() =>
    createActivities(context).applyItems({ batchId, run: 1, keepsLeft: true, indexes, pageSize: PAGE_SIZE }),
  );
}

const accepted = (
  bodies: readonly Body[],
  dependencyWaitTimeout = 0,
  schemaDefinitionId: string = townId,
): Promise<string> =>
  insertAccepted(
    database,
    { operation: 'upload', options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout } },
    { scope: SCOPE, schemaDefinitionId, schemaName: 'town', pageSize: PAGE_SIZE },
    bodies,
  );

async function defined(name: string, tags: JsonObject): Promise<string> {
  const schema = { type: 'object', properties: { tags: { type: 'array', items: tags } } };
  const made = await createSchemaDefinition(database, SCOPE.platform, { name, externalIdField: 'externalId', schema });
  return 'created' in made ? made.created.id : '';
}

const outcomesOf = async (_id: string, count: number) => {
  const found = await readOutcomes(database, { _id, pageSize: PAGE_SIZE }, [...Array(count).keys()]);
  return [...found.values()].map(({ status }) => status);
};
const versions = async (prefix: string) =>
  (
    await resourcesIn(database)
      .find({ externalId: new RegExp(`^${prefix}-`) })
      .toArray()
  ).map(({ version }) => version);
const killedAt = (place: Checkpoint) => async (at: Checkpoint) => {
  if (at === place) throw new Error('killed');
};

describe('a small batch', () => {
  test('is planned, applied and finished by one call', async () => {
    const id = await accepted([{ externalId: 'all-0' }, { externalId: 'all-1', size: 'x' }, { externalId: 'all-2' }]);
    const { applied, summary } = await run(id, 3);
    expect(applied?.tally.counts).toEqual({ succeeded: 2, failed: 1 });
    expect(summary).toMatchObject({ status: 'partial_success', counts: { succeeded: 2, failed: 1, queued: 0 } });
    expect(await readBatch(database, id)).toMatchObject({
      status: 'partial_success',
      result: { errorCodes: { validation: 1 } },
    });
    expect(await outcomesOf(id, 3)).toEqual(['succeeded', 'failed', 'succeeded']);
    expect(await intentsIn(database).countDocuments({ batchId: id })).toBe(0);
  });

  test.each<Checkpoint>(['intent-laid', 'checked', 'inserted', 'written', 'outcomes-stored', 'registered'])(
    'that died at "%s" is called again, and its items take effect once',
    async (place) => {
      const id = await accepted([{ externalId: `${place}-0` }, { externalId: `${place}-1`, near: `${place}-0` }]);
      held.atCheckpoint = killedAt(place);
      await expect(run(id, 2)).rejects.toThrow();
      held.atCheckpoint = undefined;
      const { summary } = await run(id, 2, { activityId: '2', isLocal: false });
      expect(summary).toMatchObject({ status: 'success', actions: { created: 2 } });
      expect(await versions(place)).toEqual([1, 1]);
    },
  );

  test('that was finished, and whose workflow task was lost then, has nothing left to do', async () => {
    const id = await accepted([{ externalId: 'lost-0' }]);
    await run(id, 1);
    expect(await run(id, 1)).toEqual({ plan: null });
    expect(await versions('lost')).toEqual([1]);
  });

  test('whose local activity is at work elsewhere is left to it by another local one, and taken over by one that is not', async () => {
    const id = await accepted([{ externalId: 'late-0' }]);
    const { reached, letGo } = holdFirstAt(held, 'checked');
    const late = run(id, 1);
    const ended = expect(late).rejects.toThrow();
    await reached;
    await expect(run(id, 1)).rejects.toThrow('an earlier attempt was at work');
    const { summary } = await run(id, 1, { activityId: '7', isLocal: false });
    expect(summary).toMatchObject({ status: 'success' });
    letGo();
    await ended;
    expect(await versions('late')).toEqual([1]);
    expect(await batchesIn(database).countDocuments({ _id: id, status: 'success' })).toBe(1);
  });

  test('that its workflow runs step by step since it was suspended is not changed any more by an attempt at all of it', async () => {
    const id = await accepted([{ externalId: 'left-0' }]);
    const { reached, letGo } = holdFirstAt(held, 'checked');
    const late = run(id, 1);
    const ended = expect(late).rejects.toThrow();
    await reached;
    await requestControl(database, id, { suspended: true });
    expect(await run(id, 1, { activityId: '7', isLocal: false })).not.toHaveProperty('applied');
    await requestControl(database, id, { suspended: false });
    expect(await apply(id, [0])).toMatchObject({ tally: { counts: { succeeded: 1 } } });
    letGo();
    await ended;
    expect(await versions('left')).toEqual([1]);
    expect(await outcomesOf(id, 1)).toEqual(['succeeded']);
    expect(await intentsIn(database).countDocuments({ batchId: id })).toBe(0);
  });

  test('stops an attempt at all of it that finds another activity of its workflow at work, and is stopped by none', async () => {
    const id = await accepted([{ externalId: 'both-0' }]);
    await batchesIn(database).updateOne({ _id: id }, { $set: { execution: { runId: 'run', run: 1, since: 0 } } });
    const { reached, letGo } = holdFirstAt(held, 'checked');
    const step = apply(id, [0]);
    await reached;
    await expect(run(id, 1)).rejects.toThrow('Superseded');
    letGo();
    expect(await step).toMatchObject({ tally: { counts: { succeeded: 1 } } });
    expect(await versions('both')).toEqual([1]);
  });

  test('that is cancelled once its items are stored ends as cancelled', async () => {
    const id = await accepted([{ externalId: 'stored-0' }]);
    held.atCheckpoint = async (at) => {
      if (at === 'outcomes-stored') await requestControl(database, id, { cancelRequested: true });
    };
    const { summary } = await run(id, 1);
    expect(summary).toMatchObject({ status: 'cancelled', counts: { succeeded: 1 } });
    expect(await readBatch(database, id)).toMatchObject({ status: 'cancelled', result: { counts: { succeeded: 1 } } });
  });

  test('whose items would fail by a definition that has changed since it was loaded is called again, and goes by the present one', async () => {
    const id = await defined('tagged', { $ref: 'reach:schemas/town' });
    await run(await accepted([{ externalId: 'loads-0' }], 0, id), 1);
    const schema = JSON.stringify({
      type: 'object',
      properties: { tags: { type: 'array', items: { type: 'string' } } },
    });
    await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { schema, versionNumber: 2 } });
    const tags = Array.from({ length: MAX_REFERENCES + 1 }, (_, n) => `${n}`);
    const batch = await accepted([{ externalId: 'tagged-0', tags }], 0, id);
    await expect(run(batch, 1)).rejects.toThrow('the schema definition has changed');
    expect(await outcomesOf(batch, 1)).toEqual([]);
    const { summary } = await run(batch, 1, { activityId: '2', isLocal: false });
    expect(summary).toMatchObject({ status: 'success' });
  });

  test('with an item that waits is not finished, and its workflow learns of the item', async () => {
    const id = await accepted([{ externalId: 'waits-0' }, { externalId: 'waits-1', near: 'nowhere' }], 600);
    const { applied, summary } = await run(id, 2);
    expect(applied).toMatchObject({ tally: { counts: { succeeded: 1, pending: 1 } }, pending: [{ indexes: [1] }] });
    expect(summary).toBeUndefined();
    expect(await readBatch(database, id)).toMatchObject({ status: 'processing' });
  });

  test('of an installation with one resource an activity is planned, and applied by its workflow', async () => {
    const id = await accepted([{ externalId: 'strict-0' }, { externalId: 'strict-1' }]);
    const { plan, applied } = await run(id, 2, { resourcesPerActivity: 1 });
    expect(plan?.stages.flat().map((work) => work.kind === 'items' && work.indexes)).toEqual([[0], [1]]);
    expect(applied).toBeUndefined();
    expect(await versions('strict')).toEqual([]);
  });

  test.each([
    ['suspended', { suspended: true }, [[0]]],
    ['cancelled', { cancelRequested: true }, []],
  ] as const)('that was %s before is not applied', async (name, request, indexes) => {
    const id = await accepted([{ externalId: `${name}-0` }]);
    await requestControl(database, id, request);
    const { plan, applied } = await run(id, 1);
    expect(plan?.stages.flat().map((work) => work.kind === 'items' && work.indexes)).toEqual(indexes);
    expect(applied).toBeUndefined();
    expect(await versions(name)).toEqual([]);
  });
});

test('items that a first attempt takes as new, and that have outcomes since, are read again by the next attempt', async () => {
  const id = await accepted([{ externalId: 'reset-0', near: 'nowhere' }], 600);
  expect(await apply(id, [0])).toMatchObject({ tally: { counts: { pending: 1 } } });
  // Temporal numbers the attempts of an activity anew when it is reset
  await expect(apply(id, [0])).rejects.toThrow('another attempt has stored outcomes');
  expect(await apply(id, [0], 2)).toMatchObject({ tally: { counts: { pending: 1 } } });
  expect(await intentsIn(database).countDocuments({ batchId: id })).toBe(0);
});

test('items of a deleted definition that a first attempt takes as new, and that have outcomes, are read by the next attempt', async () => {
  const definition = await defined('short-lived', { $ref: 'reach:schemas/town' });
  const id = await accepted([{ externalId: 'gone-0', tags: ['nowhere'] }], 600, definition);
  expect(await apply(id, [0])).toMatchObject({ tally: { counts: { pending: 1 } } });
  await schemaDefinitionsIn(database).deleteOne({ _id: definition });
  context.schemas.forget(definition);
  await expect(apply(id, [0])).rejects.toThrow('another attempt has stored outcomes');
  expect(await apply(id, [0], 2)).toMatchObject({ tally: { counts: { failed: 1 } } });
});

test('a batch that a program has cancelled ends as cancelled, also where all of its items have succeeded', async () => {
  const id = await accepted([{ externalId: 'over-0' }]);
  const { tally } = await apply(id, [0]);
  const succeeded = noResult();
  addTally(succeeded, tally);
  const finish = { batchId: id, run: 1, cancelled: true, cascaded: 0, succeeded };
  const environment = environmentOf(id, 'finishBatch', { activityId: '10', isLocal: false });
  const summary = await environment.run<[], BatchSummary, () => Promise<BatchSummary>>(() =>
    createActivities(context).finishBatch(finish),
  );
  expect(summary).toMatchObject({ status: 'cancelled', counts: { succeeded: 1 } });
  expect(await readBatch(database, id)).toMatchObject({ status: 'cancelled' });
});
