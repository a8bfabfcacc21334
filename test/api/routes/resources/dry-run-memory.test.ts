import { afterAll, beforeAll, expect, test } from 'vitest';
import { OwnApi } from '../../own-api.ts';

let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open({ DELETION_MEMORY_BYTES: '100' });
  await api.define('thing', { next: { $ref: 'reach:schemas/thing' } });
  await api.store('thing', [
    { externalId: 'a', next: 'b' },
    { externalId: 'b', next: 'a' },
  ]);
});
afterAll(() => api.close());

test('a dry run that needs more memory than it is given is a 503 with Retry-After and a hint', async () => {
  const { status, headers, body } = await api.send('DELETE', '/api/resources/thing/batch', {
    deleteAll: true,
    dryRun: true,
  });
  expect(status).toBe(503);
  expect(headers.get('retry-after')).toBe('60');
  expect(body).toEqual({ success: false, message: expect.stringMatching(/memory .* ask about fewer ids, or later/) });
});
