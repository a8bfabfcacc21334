import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { streamedList } from '../../../api/camunda/streamed-list.ts';
import type { ApiEnv } from '../../../api/http/context.ts';

/** Answers with an endless list. @returns the answer, and a promise that resolves when its entries are closed. */
async function endlessList() {
  let resolve: (state: string) => void = () => undefined;
  const isClosed = new Promise<string>((resolved) => (resolve = resolved));
  async function* entries(): AsyncGenerator<string, void> {
    try {
      for (let n = 0; ; n++) yield String(n);
    } finally {
      resolve('closed');
    }
  }
  const app = new Hono<ApiEnv>();
  app.use(async (c, next) => {
    c.set('services', { logger: { warn: () => undefined } } as never);
    await next();
  });
  app.get('/list', (c) => streamedList(c, entries()));
  return { response: await app.request('/list'), isClosed };
}

test('a caller that disconnects before it has read anything leaves nothing open', async () => {
  const { response, isClosed } = await endlessList();
  await response.body?.cancel();
  expect(await isClosed).toBe('closed');
});

test('a caller that disconnects in the middle leaves nothing open', async () => {
  const { response, isClosed } = await endlessList();
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(await isClosed).toBe('closed');
});
