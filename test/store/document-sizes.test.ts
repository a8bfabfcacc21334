import { BSON, type Document } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { writeDecided } from '../../activities/delete/deletion-outcomes.ts';
import { ofOperation } from '../../domain/batch/batch.ts';
import { MAX_EXTERNAL_ID, MAX_NAME_LENGTH, MAX_SCOPE_NAME } from '../../domain/limits.ts';
import type { BoundReference } from '../../domain/write/decide-writes.ts';
import { resourceKey } from '../../domain/write/resource.ts';
import { type DeletionTarget, insertStep, readStep, stepId } from '../../isolation/deletes/deletion-steps.ts';
import { decideGroup, groupsIn, survivorsOf } from '../../isolation/groups/groups.ts';
import { intentsIn, layIntent } from '../../isolation/intents/intents.ts';
import { notFoundError, referencedError } from '../../services/deletes/deletion-errors.ts';
import type { WorkItem } from '../../services/writes/work-items.ts';
import { toOutcome } from '../../services/writes/write-outcome.ts';
import { batchesIn, insertBatch, readBatch } from '../../store/batches/batches.ts';
import { recordClaims } from '../../store/batches/run-state.ts';
import { BODIES_PER_PAGE, IDS_PER_PAGE } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import { connectDatabase, type Database } from '../../store/mongodb/database.ts';

/**
 * Documents at their largest, with the longest identities: each stays far below the 16 MiB that MongoDB holds. `docs/operations.md`
 * has the table; registrations and pending items are in `waits.test.ts`, pages of bodies in `item-pages.test.ts`.
 */

const MIB = 1024 * 1024;
const SCOPE = { platform: '你'.repeat(MAX_SCOPE_NAME), tenant: '好'.repeat(MAX_SCOPE_NAME) };
const SCHEMA_ID = crypto.randomUUID();
const SCHEMA_NAME = 'n'.repeat(MAX_NAME_LENGTH);

const longestId = (n: number): string => `${String(n).padStart(8, '0')}${'😀'.repeat(MAX_EXTERNAL_ID - 8)}`;
const longestKey = (n: number): string => resourceKey(SCOPE, SCHEMA_ID, longestId(n));
const longestKeys = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => longestKey(from + n));
const NAMES = new Map([[SCHEMA_ID, SCHEMA_NAME]]);

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `sizes-${process.pid}-${Date.now().toString(36)}`);
});
afterAll(async () => {
  await batchesIn(database).db.dropDatabase();
  await database.close();
});
beforeEach(() => batchesIn(database).db.dropDatabase());

/** Bytes of the largest document of a collection. */
async function largestIn(name: string): Promise<number> {
  let largest = 0;
  for await (const document of batchesIn(database).db.collection<Document>(name).find({}))
    largest = Math.max(largest, BSON.calculateObjectSize(document));
  expect(largest).toBeGreaterThan(0);
  return largest;
}

async function batchOf(total: number, pageSize: number, operation: 'upload' | 'delete') {
  const options = operation === 'upload' ? { dependencyWaitTimeout: 60 } : { cascade: true, deleteAll: false };
  const batch = {
    _id: crypto.randomUUID(),
    scope: SCOPE,
    operation,
    options: options as never,
    schemaDefinitionId: SCHEMA_ID,
    schemaName: SCHEMA_NAME,
    total,
    pageSize,
    createdAt: new Date(),
  };
  return insertBatch(database, batch);
}

describe('outcomes', () => {
  const missing = Array.from(
    { length: 10_000 },
    (_, n): BoundReference => ({
      key: longestKey(n),
      place: { outer: { outer: null, step: 'f'.repeat(2_000) }, step: n },
      schemaDefinitionId: SCHEMA_ID,
      schemaName: SCHEMA_NAME,
      externalId: longestId(n),
    }),
  );

  test.each([0, 60])('of a page of items that miss 10,000 references each, waiting for %d s', async (wait) => {
    const batch = ofOperation(await batchOf(BODIES_PER_PAGE, BODIES_PER_PAGE, 'upload'), 'upload');
    const waiting = { ...batch, options: { ...batch.options, dependencyWaitTimeout: wait } };
    const outcomes = new Map<number, StoredOutcome>();
    for (let index = 0; index < BODIES_PER_PAGE; index++)
      outcomes.set(
        index,
        toOutcome(
          waiting,
          { outcome: undefined, index, references: missing as readonly BoundReference[] } as WorkItem,
          { kind: 'missing', missing },
        ),
      );
    await writeOutcomes(database, batch, outcomes);
    expect(outcomes.get(0)).toMatchObject({ missingTotal: 10_000 });
    expect(await largestIn('outcome_pages')).toBeLessThan(10 * MIB);
  });

  test('of a page of a delete whose resources are each kept by ten others', async () => {
    const batch = await batchOf(IDS_PER_PAGE, IDS_PER_PAGE, 'delete');
    const error = referencedError(longestKey(0), longestKeys(10), NAMES);
    const decided = Array.from({ length: IDS_PER_PAGE }, (_, index) => ({
      indexes: [index],
      outcome: { status: 'skipped' as const, errors: [error] },
    }));
    await writeDecided(database, batch, decided);
    expect(await largestIn('outcome_pages')).toBeLessThan(15 * MIB);
  });
});

test('an intent on 10,000 targets', async () => {
  const intent = { id: 'activity/1', batchId: 'one', schemaDefinitionIds: [SCHEMA_ID] };
  await layIntent(database, { ...intent, targets: longestKeys(10_000) });
  expect(await largestIn('intents')).toBeLessThan(5 * MIB);
  const stored = await intentsIn(database).find({}).toArray();
  expect(new Set(stored.flatMap(({ targets }) => targets)).size).toBe(10_000);
});

test('a step of a delete, with an id that is requested 200,000 times, and 1,000 outcomes', async () => {
  const reasons = longestKeys(3, 10_000);
  const often = Array.from({ length: 200_000 }, (_, n) => n);
  const targets = new Map<string, DeletionTarget>([
    [longestKey(0), { items: often, reasons: [] }],
    ...longestKeys(1_999, 1).map((key) => [key, { items: [], reasons }] as const),
  ]);
  const error = referencedError(longestKey(0), longestKeys(10), NAMES);
  const outcome = { status: 'skipped' as const, errors: [error], attempts: 0 };
  const decided = Array.from({ length: 1_000 }, (_, index) => ({ indexes: [600_000 + index], outcome }));
  const absent = { status: 'skipped' as const, errors: [notFoundError(longestKey(1), NAMES)], attempts: 0 };
  decided.push({ indexes: often.map((n) => 700_000 + n), outcome: absent });
  const batch = { batchId: crypto.randomUUID(), run: 1 };
  await insertStep(database, batch, 7, { targets, decided });
  expect(await largestIn('deletion_steps')).toBeLessThan(6 * MIB);
  const step = await readStep(database, stepId(batch.batchId, 1, 7));
  expect(step?.targets).toEqual(targets);
  expect(step?.decided.flatMap(({ indexes }) => indexes)).toEqual(decided.flatMap(({ indexes }) => indexes));
  // an id that is requested again repeats the outcome of its first item, wherever the entry was cut
  const cut = step?.decided.filter(({ outcome: { errors } }) => errors?.[0]?.code === 'not_found') ?? [];
  expect(cut.map(({ outcome: { repeat } }) => repeat)).toEqual([undefined, ...cut.slice(1).map(() => true)]);
}, 120_000);

test('a decision on a step that leaves 10,000 resources', async () => {
  const survivors = longestKeys(10_000);
  const group = `${crypto.randomUUID()}/1/0`;
  await decideGroup(database, group, 'committed', survivors);
  expect(await largestIn('commits')).toBeLessThan(5 * MIB);
  const commit = await groupsIn(database).findOne({ _id: group });
  expect(commit === null ? null : await survivorsOf(database, commit)).toEqual(survivors);
  // a later decision finds the first one, not its own
  expect(await survivorsOf(database, await decideGroup(database, group, 'committed', []))).toEqual(survivors);
});

test('a batch that applies pending items of 40,000 others together with its own', async () => {
  const batch = await batchOf(1, 50, 'upload');
  expect(await recordClaims(database, batch, new Set(Array.from({ length: 40_000 }, () => crypto.randomUUID())))).toBe(
    true,
  );
  expect(await largestIn('batches')).toBeLessThan(3 * MIB);
  await recordClaims(database, batch, new Set());
  expect(await readBatch(database, batch._id)).not.toHaveProperty('claimOwners');
});
