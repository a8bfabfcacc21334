import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { OwnApi } from '../../own-api.ts';

// thirty seconds of deciding would need more resources than a test can store
vi.mock('../../../../services/deletes/preview-deletion.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../../services/deletes/preview-deletion.ts')>();
  const previewDeletion: typeof original.previewDeletion = (parts, scope, definition, request) =>
    original.previewDeletion(parts, scope, definition, request, Date.now() - 1);
  return { ...original, previewDeletion };
});

let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
  await api.define('thing');
});
afterAll(() => api.close());

test('a dry run that takes longer than its time is a 503 with Retry-After and a hint', async () => {
  const { status, headers, body } = await api.send('DELETE', '/api/resources/thing/batch', {
    deleteAll: true,
    dryRun: true,
  });
  expect(status).toBe(503);
  expect(headers.get('retry-after')).toBe('60');
  expect(body).toEqual({ success: false, message: expect.stringMatching(/longer than 30 s: ask about fewer ids/) });
});
