import { afterAll, beforeAll, expect, test } from 'vitest';
import { withinRoom } from '../../../domain/batch/answer-room.ts';
import { MAX_ANSWER_BYTES } from '../../../domain/limits.ts';
import type { ItemView } from '../../../services/batches/list-items.ts';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { type Answer, Drover } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

/** No answer but a stream is larger than 4 MiB; the cursor of a list still leads to every entry. */

const MIB = 1024 * 1024;

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '60' } });
  await drover.define('thing', { a: {}, to: { type: 'array', items: { $ref: 'reach:schemas/thing' } } });
}, 120_000);
afterAll(() => drover.stop());

interface Page<T> {
  readonly results: readonly T[];
  readonly pagination: { readonly cursor: string | null };
}

const bytesOf = (answer: unknown): number => Buffer.byteLength(JSON.stringify(answer));

/** Every page of a list. */
async function pagesOf<T>(path: string, tenant: Tenant): Promise<{ entries: T[]; sizes: number[]; bytes: number[] }> {
  const found = { entries: [] as T[], sizes: [] as number[], bytes: [] as number[] };
  for (let cursor: string | null = ''; cursor !== null; ) {
    const at: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer: Answer<Page<T>> = await drover.request<Page<T>>('GET', `${path}${at}`, tenant);
    const { status, body } = answer;
    expect(status).toBe(200);
    found.entries.push(...body.data.results);
    found.sizes.push(body.data.results.length);
    found.bytes.push(bytesOf(body));
    cursor = body.data.pagination.cursor;
  }
  return found;
}

test('a batch of items that wait for long references shows the first of them, and its items page by page', async () => {
  const tenant = new Tenant(drover);
  const count = 500;
  const to = (item: number) =>
    Array.from(
      { length: 25 },
      (_, n) => `${String(item).padStart(4, '0')}-${String(n).padStart(2, '0')}${'😀'.repeat(249)}`,
    );
  const resources = Array.from({ length: count }, (_, n) => ({ externalId: `${n}`, to: to(n) }));
  const id = await tenant.upload('thing', resources, { dependencyWaitTimeout: 3600 });
  const isWaiting = ({ status }: BatchView) => status === 'waiting';
  await drover.until(id, isWaiting, { ...tenant, timeoutMs: 240_000 });
  const path = `/api/batches/${id}`;
  const { body } = await drover.request<BatchView>('GET', `${path}?includePendingDetails=true`, tenant);
  expect(bytesOf(body)).toBeLessThan(MAX_ANSWER_BYTES);
  const { pendingResources = [], pendingResourcesTotal } = body.data;
  expect(pendingResourcesTotal).toBe(count);
  expect(pendingResources.length).toBeGreaterThan(50);
  expect(pendingResources.length).toBeLessThan(count);
  for (const { missingDependencies, missingTotal } of pendingResources)
    expect([missingDependencies.length, missingTotal]).toEqual([20, 25]);
  const { entries, bytes } = await pagesOf<ItemView>(`${path}/items?limit=1000`, tenant);
  expect(entries.map(({ index }) => index)).toEqual(resources.map((_, index) => index));
  expect(bytes.length).toBeGreaterThan(1);
  expect(Math.max(...bytes)).toBeLessThan(MAX_ANSWER_BYTES);
}, 300_000);

test('a page of large resources ends early; a resource that is larger than an answer is a page of its own', async () => {
  const tenant = new Tenant(drover);
  const large = (externalId: string, bytes: number) => ({ externalId, a: 'x'.repeat(bytes) });
  await tenant.uploaded('thing', [large('a', MIB), large('b', MIB), large('c', 5 * MIB), large('d', MIB)]);
  const { entries, sizes, bytes } = await pagesOf<{ resourceExternalId: string }>(
    '/api/resources/thing?limit=100',
    tenant,
  );
  expect(entries.map(({ resourceExternalId }) => resourceExternalId)).toEqual(['a', 'b', 'c', 'd']);
  expect(sizes).toEqual([2, 1, 1]);
  expect(bytes.filter((each) => each > MAX_ANSWER_BYTES)).toHaveLength(1);
  expect((await tenant.stored('thing', 'c'))?.data.a).toHaveLength(5 * MIB);
}, 120_000);

test('an answer holds all small entries, the first ones of large entries, and at least one', () => {
  const entries = Array.from({ length: 100 }, (_, n) => ({ n, text: 'x'.repeat(100_000) }));
  const fitting = withinRoom(entries);
  expect(fitting.length).toBeGreaterThan(20);
  expect(bytesOf(fitting)).toBeLessThan(MAX_ANSWER_BYTES);
  expect(withinRoom([{ text: 'x'.repeat(5 * MIB) }, ...entries])).toHaveLength(1);
  expect(withinRoom(entries.slice(0, 5))).toHaveLength(5);
});
