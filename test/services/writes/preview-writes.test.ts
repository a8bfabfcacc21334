import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import fc from 'fast-check';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type ActivityContext, createActivityContext } from '../../../activities/activity-context.ts';
import { createActivities } from '../../../activities/index.ts';
import type { WriteBatch } from '../../../domain/batch/batch.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { toItem } from '../../../services/batches/new-item.ts';
import { MemoryAllowance } from '../../../services/deletes/memory-allowance.ts';
import { previewWrites } from '../../../services/writes/preview-writes.ts';
import { viewPreview } from '../../../services/writes/view-preview.ts';
import { insertBatch } from '../../../store/batches/batches.ts';
import { createSchemaDefinition } from '../../../store/definitions/create-schema-definition.ts';
import { writeItemPages } from '../../../store/items/item-pages.ts';
import { readOutcomes } from '../../../store/items/outcomes.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';
import type { Plan } from '../../../workflows/messages.ts';

/** A dry run and a real run on the same data give the same outcomes: the activities of a batch are run here as its workflow runs them. */

const PLATFORM = 'test';
const PAGE_SIZE = 5;
const ACTIVITY_MS = 60_000;

let database: Database;
let context: ActivityContext;
const ids = new Map<string, string>();
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `preview-${process.pid}-${Date.now().toString(36)}`);
  context = createActivityContext({
    database,
    client: {
      workflow: { getHandle: () => ({ signal: async () => undefined }) },
    } as unknown as ActivityContext['client'],
    logger: pino({ level: 'silent' }),
    retentionDays: 0,
    planningMemory: new MemoryAllowance(64 * 1024 * 1024),
    taskQueue: 'none',
    activityTimeoutSeconds: ACTIVITY_MS / 1000,
    // several chunks and stages, as a large batch has
    resourcesPerActivity: 3,
  });
  const properties = {
    name: { type: 'string', minLength: 1 },
    n: { type: 'integer', maximum: 3 },
    to: { $ref: 'reach:schemas/node' },
    all: { type: 'array', items: { $ref: 'reach:schemas/node' } },
    at: { $ref: 'reach:schemas/place' },
    later: { $ref: 'reach:schemas/undefined-yet' },
  };
  const schemas: [string, JsonObject][] = [
    ['place', { type: 'object', properties: {} }],
    ['node', { type: 'object', properties, required: ['name'] }],
  ];
  for (const [name, schema] of schemas) {
    const made = await createSchemaDefinition(database, PLATFORM, { name, externalIdField: 'externalId', schema });
    if ('created' in made) ids.set(name, made.created.id);
  }
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});

let scheduled = 0;

/** Calls an activity of a batch as its workflow does, again while it is blocked. */
function call<T>(batchId: string, act: (activities: ReturnType<typeof createActivities>) => Promise<T>): Promise<T> {
  scheduled += 1;
  const info = {
    activityId: String(scheduled),
    activityType: 'activity',
    attempt: 1,
    isLocal: false,
    startToCloseTimeoutMs: ACTIVITY_MS,
    scheduledTimestampMs: scheduled,
    currentAttemptScheduledTimestampMs: scheduled,
    workflowExecution: { workflowId: `batch-${batchId}`, runId: 'run' },
  };
  const environment = new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
  return environment.run<[], T, () => Promise<T>>(() => act(createActivities(context)));
}

interface Request {
  readonly tenant: string;
  readonly schema: string;
  readonly bodies: readonly JsonObject[];
  readonly instruction: WriteBatch extends infer B
    ? B extends WriteBatch
      ? Pick<B, 'operation' | 'options'>
      : never
    : never;
}

const itemsOf = ({ bodies }: Request) => bodies.map((body) => toItem(body, 'externalId', undefined));

/** What the dry run says. */
async function preview(request: Request) {
  const { tenant, schema, instruction, bodies } = request;
  const items = itemsOf(request).map(({ externalId, body, faults = [] }, index) => ({
    index,
    externalId,
    body: body === undefined ? null : (bodies[index] ?? null),
    faults,
  }));
  const loaded = await context.schemas.latest(ids.get(schema) ?? '');
  if (loaded === null) throw new Error(`no ${schema}`);
  const about = { platform: PLATFORM, tenant, schemaDefinitionId: loaded.definition.id, schemaName: schema };
  return viewPreview(items, await previewWrites(context, { ...about, ...instruction }, loaded, items));
}

/** What the real run does: its outcomes as the same answer would tell them. */
async function run(request: Request) {
  const { tenant, schema, instruction } = request;
  const _id = uuidv7();
  const items = itemsOf(request);
  await writeItemPages(database, { batchId: _id }, items, PAGE_SIZE);
  await insertBatch(database, {
    _id,
    scope: { platform: PLATFORM, tenant },
    schemaDefinitionId: ids.get(schema) ?? '',
    schemaName: schema,
    pageSize: PAGE_SIZE,
    total: items.length,
    createdAt: new Date(),
    ...instruction,
  });
  const about = { batchId: _id, run: 1, keepsLeft: true } as const;
  const plan = await call<Plan | null>(_id, (activities) => activities.planBatch({ ...about, cursor: 0 }));
  for (const work of plan?.stages.flat() ?? []) {
    if (work.kind !== 'items') throw new Error('a write has no steps');
    const links = plan?.links === undefined ? {} : { links: plan.links };
    await call(_id, (activities) =>
      activities.applyItems({ ...about, indexes: work.indexes, pageSize: PAGE_SIZE, ...links }),
    );
  }
  const outcomes = await readOutcomes(database, { _id, pageSize: PAGE_SIZE }, [...items.keys()]);
  // what waits is not to meet the next request
  await call(_id, (activities) => activities.finishBatch({ batchId: _id, run: 1, cancelled: true, cascaded: 0 }));
  return viewPreview(
    items.map(({ externalId }, index) => ({ index, externalId, body: null, faults: [] })),
    outcomes,
  );
}

/** Few ids, so that items meet: several for one resource, cycles, references to what fails. */
const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const maybe = <T>(value: fc.Arbitrary<T>, freq: number) => fc.option(value, { nil: undefined, freq });
const odd = fc.constantFrom<unknown>('', null, 7);
const body = fc
  .record({
    externalId: fc.oneof({ weight: 20, arbitrary: id }, { weight: 1, arbitrary: odd }),
    name: maybe(fc.constantFrom<unknown>('x', 'y', 'z', '', null), 5),
    n: maybe(fc.constantFrom<unknown>(1, 2, 4, 'no', null), 1),
    to: maybe(fc.oneof({ weight: 5, arbitrary: id }, { weight: 1, arbitrary: fc.constant('none') }), 1),
    all: maybe(fc.array(id, { maxLength: 3 }), 1),
    at: maybe(fc.constantFrom('here', 'here', 'nowhere'), 1),
    later: fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant('z') }),
    unknown: fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant(1) }),
  })
  .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as JsonObject);

const instruction: fc.Arbitrary<Request['instruction']> = fc
  .record({
    operation: fc.constantFrom('upload', 'upload', 'patch'),
    onconflict: fc.constantFrom('upsert', 'upsert', 'reject'),
    ignoreUnknownFields: fc.boolean(),
    dependencyWaitTimeout: fc.constantFrom(0, 600),
    resourcesPerActivity: fc.constantFrom(1, 100, undefined),
  })
  .map(({ operation, onconflict, dependencyWaitTimeout, ...shared }) =>
    operation === 'patch'
      ? { operation: 'patch', options: shared }
      : { operation: 'upload', options: { ...shared, onconflict, dependencyWaitTimeout } },
  );

const upload = (onconflict: 'upsert' | 'reject', dependencyWaitTimeout = 0): Request['instruction'] => ({
  operation: 'upload',
  options: { onconflict, ignoreUnknownFields: false, dependencyWaitTimeout },
});
const good = (externalId: string, more: JsonObject = {}): JsonObject => ({ externalId, name: 'x', ...more });
/** Requests with every outcome. */
const EVERYTHING: Pick<Request, 'bodies' | 'instruction'>[] = [
  {
    instruction: upload('upsert', 600),
    bodies: [good('a', { to: 'b' }), good('b', { to: 'a' }), good('a'), good('a', { n: 1 }), good('c', { to: 'none' })],
  },
  {
    instruction: upload('reject'),
    bodies: [
      good('a'),
      good('d', { n: 4 }),
      good('e', { unknown: 1 }),
      good('e', { name: null }),
      good('e', { to: 'none' }),
      { name: 'x' },
      { externalId: 7 },
    ],
  },
  { instruction: { operation: 'patch', options: { ignoreUnknownFields: true } }, bodies: [good('e'), good('a')] },
];

test('the dry run of random uploads and patches says what their real runs do, item by item', async () => {
  const seen = new Set<string>();
  let tenants = 0;
  const script = fc.array(fc.record({ bodies: fc.array(body, { minLength: 1, maxLength: 12 }), instruction }), {
    minLength: 2,
    maxLength: 2,
  });
  await fc.assert(
    fc.asyncProperty(script, async (requests) => {
      tenants += 1;
      const tenant = `tenant ${tenants}`;
      const here = {
        operation: 'upload',
        options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
      } as const;
      await run({ tenant, schema: 'place', bodies: [{ externalId: 'here' }], instruction: here });
      for (const request of requests) {
        const about = { tenant, schema: 'node', ...request };
        const said = await preview(about);
        expect(said).toEqual(await run(about));
        for (const { action, status, errors = [] } of said.items)
          for (const one of [action ?? status, ...errors.map(({ code }) => code)]) seen.add(one);
      }
    }),
    { numRuns: 12, examples: [[EVERYTHING]] },
  );
  // they have met everything that an upload or patch can end with
  const all =
    'created updated unchanged pending failed validation required_field unknown_field conflict not_found missing_dependency missing_external_id invalid_external_id';
  expect([...seen]).toEqual(expect.arrayContaining(all.split(' ')));
});
