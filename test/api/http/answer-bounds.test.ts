import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Actions, noActions, noCounts } from '../../../domain/batch/outcome.ts';
import { MAX_ANSWER_BYTES } from '../../../domain/limits.ts';
import { type BatchDocument, batchesIn } from '../../../store/batches/batches.ts';
import { type Answer, OwnApi } from '../own-api.ts';

/** Answers that hold as much as an answer can, read from what is stored: none is larger than 4 MiB. */

let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
});
afterAll(() => api.close());

const bytesOf = ({ body }: Answer): number => Buffer.byteLength(JSON.stringify(body));
/** The character that takes most bytes in JSON: six. */
const costly = (length: number): string => '\u0001'.repeat(length);

/** A finished batch whose first hundred items have failed with messages of the longest kind. */
function failedBatch(): BatchDocument {
  const at = new Date();
  const actions: Actions = noActions();
  return {
    _id: uuidv7(),
    scope: 'default/default',
    platform: 'default',
    tenant: 'default',
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    schemaDefinitionId: uuidv7(),
    schemaName: 'n'.repeat(128),
    total: 1_000,
    pageSize: 50,
    status: 'failed',
    suspended: false,
    run: 1,
    createdAt: at,
    startedAt: at,
    completedAt: at,
    cascaded: 0,
    result: { counts: { ...noCounts(), failed: 1_000 }, actions, errorCodes: { validation: 1_000 } },
    errorDetails: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [n, costly(1_000)])),
  } as BatchDocument;
}

test('batches with a hundred long messages each are listed page by page, and answered one by one', async () => {
  const batches = Array.from({ length: 20 }, failedBatch);
  await batchesIn(api.services.database).insertMany(batches);
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Answer = await api.send('GET', `/api/batches?limit=100&cursor=${cursor}`);
    expect(page.status).toBe(200);
    expect(bytesOf(page)).toBeLessThan(MAX_ANSWER_BYTES);
    seen.push(...page.body.data.results.map(({ batchId }: { batchId: string }) => batchId));
    cursor = page.body.data.pagination.cursor;
  }
  expect(seen).toEqual(batches.map(({ _id }) => _id).toReversed());
  const one = await api.send('GET', `/api/batches/${batches[0]?._id}?includePendingDetails=true`);
  expect(Object.keys(one.body.data.errors.details)).toHaveLength(100);
  expect(bytesOf(one)).toBeGreaterThan(500_000);
  expect(bytesOf(one)).toBeLessThan(768 * 1024);
});

test('a refusal names a hundred faults of the longest kind in few bytes', async () => {
  const names = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`${n}${costly(10_000)}`, n]));
  const refused = await Promise.all([
    api.send('POST', '/partner/schema-definitions', names),
    api.send('POST', '/partner/schema-definitions', {
      name: 'many',
      schema: {
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: 150 }, (_, n) => [`${n}${costly(500)}`, { type: costly(50) }]),
        ),
      },
    }),
    api.send('DELETE', '/api/resources/none/batch', {
      externalIds: Array.from({ length: 200 }, () => costly(1_000)),
    }),
    api.send('GET', `/api/batches?${Array.from({ length: 200 }, (_, n) => `${n}x=1`).join('&')}`),
  ]);
  for (const answer of refused) {
    expect([answer.status, answer.body.errors.length]).toEqual([400, 100]);
    expect(bytesOf(answer)).toBeLessThan(1024 * 1024);
  }
});

test('the OpenAPI document is an answer like any other', async () => {
  expect(bytesOf(await api.send('GET', '/openapi.json'))).toBeLessThan(MAX_ANSWER_BYTES);
});
