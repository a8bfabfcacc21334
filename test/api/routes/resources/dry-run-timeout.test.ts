import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { OwnApi } from '../../own-api.ts';

// thirty seconds of deciding would need more resources than a test can store
vi.mock('../../../../services/deletes/preview-deletion.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../../services/deletes/preview-deletion.ts')>();
  const previewDeletion: typeof original.previewDeletion = (parts, scope, definition, request) =>
    original.previewDeletion(parts, scope, definition, request, Date.now() - 1);
  return { ...original, previewDeletion };
});

vi.mock('../../../../services/writes/preview-writes.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../../services/writes/preview-writes.ts')>();
  const previewWrites: typeof original.previewWrites = (parts, batch, schema, items) =>
    original.previewWrites(parts, batch, schema, items, Date.now() - 1);
  return { ...original, previewWrites };
});

let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
  await api.define('thing');
});
afterAll(() => api.close());

test('a dry run that takes longer than its time is a 503 with Retry-After and a hint', async () => {
  const resources = [{ externalId: 'a' }];
  for (const [method, path, asked, hint] of [
    ['DELETE', '', { deleteAll: true, dryRun: true }, 'ask about fewer ids'],
    ['POST', '?dryRun=true', { resources }, 'ask about fewer resources'],
    ['PATCH', '?dryRun=true', { resources }, 'ask about fewer resources'],
  ] as const) {
    const { status, headers, body } = await api.send(method, `/api/resources/thing/batch${path}`, asked);
    expect([method, status, headers.get('retry-after')]).toEqual([method, 503, '60']);
    expect(body).toEqual({ success: false, message: expect.stringContaining(`longer than 30 s: ${hint}`) });
  }
});
