import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { type ActivityContext, type Checkpoint, createActivityContext } from '../../../activities/activity-context.ts';
import { createActivities } from '../../../activities/index.ts';
import type { Instruction, ResourceBatch } from '../../../domain/batch/batch.ts';
import { intentsIn } from '../../../isolation/intents/intents.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { batchesIn, removeBatch } from '../../../store/batches/batches.ts';
import { requestControl } from '../../../store/batches/control-requests.ts';
import { createSchemaDefinition } from '../../../store/definitions/create-schema-definition.ts';
import { readOutcomes } from '../../../store/items/outcomes.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';
import type { WorkResult } from '../../../workflows/messages.ts';
import { type Body, insertAccepted } from '../accepted.ts';
import { CountedCommands } from '../counted-commands.ts';

/** What the activities of a batch that fans out ask of MongoDB, and what they check although they begin from what is remembered. */
const SCOPE = { platform: 'test', tenant: 'one' };
const PAGE_SIZE = 4;
const ACTIVITY_MS = 60_000;
const EXECUTION = 'run';

/** What an activity costs beside its resources, whatever their number, and the write of these. */
const OF_ONE_ACTIVITY = [
  'batches: findOne',
  'intents: bulkWrite',
  'intents: find',
  'intents: insertMany',
  'outcome_pages: bulkWrite',
  'outcome_pages: find',
  'resources: find',
  'schema_definitions: findOne',
];
const INSERTS = [...OF_ONE_ACTIVITY, 'resources: insertMany', 'waits: find'].sort();
const UPDATES = [...OF_ONE_ACTIVITY, 'resources: find with data', 'resources: bulkWrite', 'batches: find'].sort();
/** The first activity of a process that works on the batch, and on this page of it. */
const FIRST = ['batches: findOne', 'item_pages: find'];

const commands = new CountedCommands();
let database: Database;
let context: ActivityContext;
let townId: string;
const held: { atCheckpoint: ((at: Checkpoint) => Promise<void>) | undefined } = { atCheckpoint: undefined };

beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `commands-${process.pid}-${Date.now().toString(36)}`);
  context = createActivityContext({
    database: commands.of(database),
    client: {} as unknown as ActivityContext['client'],
    logger: pino({ level: 'silent' }),
    retentionDays: 0,
    planningMemory: new MemoryAllowance(64 * 1024 * 1024),
    taskQueue: 'none',
    activityTimeoutSeconds: ACTIVITY_MS / 1000,
    checkpoint: async (at) => held.atCheckpoint?.(at),
  });
  const near = { near: { $ref: 'reach:schemas/town' }, size: { type: 'integer' } };
  const made = await createSchemaDefinition(database, SCOPE.platform, {
    name: 'town',
    externalIdField: 'externalId',
    schema: {
      type: 'object',
      properties: { ...near, all: { type: 'array', items: near.near }, text: { type: 'string' } },
    },
  });
  townId = 'created' in made ? made.created.id : '';
  // what is read once in the life of a process
  await apply(await accepted([{ externalId: 'capital' }, { externalId: 'next', near: 'capital' }]), [0, 1]);
});
beforeEach(() => {
  // a slow machine would check more often whether the batch is halted
  vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  commands.take();
});
afterEach(() => {
  vi.restoreAllMocks();
  held.atCheckpoint = undefined;
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});

let scheduled = Date.now();

/** The first attempt of an activity of its own. */
function apply(batchId: string, indexes: readonly number[], runId = EXECUTION): Promise<WorkResult> {
  scheduled += 1_000;
  const info = {
    activityId: String(scheduled),
    activityType: 'applyItems',
    attempt: 1,
    isLocal: false,
    startToCloseTimeoutMs: ACTIVITY_MS,
    scheduledTimestampMs: scheduled,
    currentAttemptScheduledTimestampMs: scheduled,
    workflowExecution: { workflowId: `batch-${batchId}`, runId },
  };
  const environment = new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
  return environment.run<[], WorkResult, () => Promise<WorkResult>>(() =>
    createActivities(context).applyItems({ batchId, run: 1, keepsLeft: true, indexes, pageSize: PAGE_SIZE }),
  );
}

/** A batch that its workflow has planned. */
async function accepted(bodies: readonly Body[], instruction: Partial<Instruction<ResourceBatch>> = {}) {
  const options = { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 } as const;
  const upload = { operation: 'upload', options, ...instruction } as Instruction<ResourceBatch>;
  const about = { scope: SCOPE, schemaDefinitionId: townId, schemaName: 'town', pageSize: PAGE_SIZE };
  const _id = await insertAccepted(database, upload, about, bodies);
  const execution = { runId: EXECUTION, run: 1, since: 0 };
  await batchesIn(database).updateOne({ _id }, { $set: { status: 'processing', execution } });
  return _id;
}

const towns = (prefix: string, count: number, more: object = {}) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, ...more }));
const outcomesOf = async (_id: string, count: number) => {
  const found = await readOutcomes(database, { _id, pageSize: PAGE_SIZE }, [...Array(count).keys()]);
  return [...found.values()].map(({ status }) => status);
};
const stored = (prefix: string) =>
  resourcesIn(database).countDocuments({ externalId: new RegExp(`^${prefix}-`), hidden: { $exists: false } });

describe('an activity of one resource that refers to another', () => {
  test('asks for the batch and its page once in a process, and sends ten commands for a new resource', async () => {
    const id = await accepted(towns('one', PAGE_SIZE + 1, { near: 'capital' }));
    await apply(id, [0]);
    expect(commands.take()).toEqual([...INSERTS, ...FIRST].sort());
    await apply(id, [1]);
    expect(commands.take()).toEqual(INSERTS);
    await apply(id, [PAGE_SIZE]);
    expect(commands.take()).toEqual([...INSERTS, 'item_pages: find'].sort());
    expect(await outcomesOf(id, PAGE_SIZE + 1)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  test('reads one that exists, and looks up its earlier writers', async () => {
    await apply(await accepted(towns('known', 2)), [0, 1]);
    const id = await accepted(towns('known', 2, { near: 'capital' }));
    await apply(id, [0]);
    commands.take();
    await apply(id, [1]);
    expect(commands.take()).toEqual(UPDATES);
  });

  test('shares what others of the batch are reading', async () => {
    const id = await accepted(towns('together', 4, { near: 'capital' }));
    await Promise.all([0, 1, 2, 3].map((index) => apply(id, [index])));
    const sent = commands.take();
    expect(sent.filter((command) => command === 'item_pages: find')).toHaveLength(1);
    // the one that was shared, and a check under each intent
    expect(sent.filter((command) => command === 'batches: findOne')).toHaveLength(1 + 4);
    expect(await outcomesOf(id, 4)).toEqual(Array(4).fill('succeeded'));
  });

  test('reads the data of no target, however large', async () => {
    const large = towns('large', 20, { text: 'x'.repeat(50_000) });
    await apply(await accepted(large), [...Array(20).keys()]);
    const all = large.map(({ externalId }) => externalId);
    const id = await accepted(towns('small', 2, { all }));
    commands.take();
    await apply(id, [0]);
    expect(commands.take()).toEqual([...INSERTS, ...FIRST].sort());
    expect(await outcomesOf(id, 2)).toEqual(['succeeded']);
  });
});

describe('an activity that begins from what is remembered of its batch', () => {
  const control = {
    suspended: (id: string) => requestControl(database, id, { suspended: true }),
    cancelled: (id: string) => requestControl(database, id, { cancelRequested: true }),
  };

  test.each(Object.entries(control))('writes nothing once it is %s, and leaves its items', async (_, halt) => {
    const id = await accepted(towns(`halted-${_}`, 2));
    await apply(id, [0]);
    await halt(id);
    expect((await apply(id, [1])).left).toEqual([1]);
    expect(await stored(`halted-${_}`)).toBe(1);
    expect(await outcomesOf(id, 2)).toEqual(['succeeded']);
    expect(await intentsIn(database).countDocuments({ batchId: id })).toBe(0);
  });

  test('stores no failure either', async () => {
    const [good, ...wrong] = [
      { externalId: 'good-0' },
      { externalId: 'wrong-0', size: 'x' },
      { externalId: 'wrong-1', none: 1 },
    ];
    const id = await accepted([good, ...wrong]);
    await apply(id, [0]);
    await control.suspended(id);
    expect((await apply(id, [1])).left).toEqual([1]);
    expect((await apply(id, [2])).left).toEqual([2]);
    expect(await outcomesOf(id, 3)).toEqual(['succeeded']);
  });

  test('writes nothing of a batch that is suspended while its intent is laid', async () => {
    const id = await accepted(towns('between', 2));
    await apply(id, [0]);
    held.atCheckpoint = async (at) => {
      if (at === 'intent-laid') await control.suspended(id);
    };
    expect((await apply(id, [1])).left).toEqual([1]);
    expect(await stored('between')).toBe(1);
  });

  test('stops if a later execution has taken over', async () => {
    const id = await accepted(towns('taken', 2));
    await apply(id, [0]);
    const execution = { runId: 'later', run: 1, since: 1, follows: true as const };
    await batchesIn(database).updateOne({ _id: id }, { $set: { execution } });
    await expect(apply(id, [1])).rejects.toThrow('SupersededError');
    expect(await stored('taken')).toBe(1);
    // the later one reads the batch itself
    expect((await apply(id, [1], 'later')).tally.counts).toEqual({ succeeded: 1 });
    expect(await stored('taken')).toBe(2);
  });

  test('does nothing of a run that is over, and is delivered again if the batch is gone', async () => {
    const id = await accepted(towns('over', 3));
    await apply(id, [0]);
    await batchesIn(database).updateOne({ _id: id }, { $set: { status: 'partial_success' } });
    expect((await apply(id, [1])).left).toBeUndefined();
    await removeBatch(database, id);
    await expect(apply(id, [2])).rejects.toThrow('SupersededError');
    expect(await stored('over')).toBe(1);
    expect(await intentsIn(database).countDocuments({ batchId: id })).toBe(0);
  });
});
