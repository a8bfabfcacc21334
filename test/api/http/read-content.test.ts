import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ApiContext } from '../../../api/http/context.ts';
import { withContent } from '../../../api/http/read-content.ts';
import { frame, PACKED, raw, skippable } from '../../services/imports/zstd-content.ts';

/** A request whose body goes on for ever, one piece after the other. @param cancelled called when nobody reads it any more. */
function endless(encoding: string, first: Uint8Array, rest: Uint8Array, cancelled: () => void): ApiContext {
  let isFirst = true;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(isFirst ? first : rest);
      isFirst = false;
    },
    cancel: cancelled,
  });
  const nothing = (): void => undefined;
  return {
    req: { header: (name: string) => (name === 'content-encoding' ? encoding : undefined), raw: { body } },
    header: nothing,
    var: {
      load: { addBodyBytes: nothing },
      time: { suspend: nothing, restart: nothing },
      services: { config: { MIN_BODY_BYTES_PER_SECOND: 1 } },
    },
  } as unknown as ApiContext;
}

/** Each thread has one. */
const openPorts = () => process.getActiveResourcesInfo().filter((one) => one === 'MessagePort').length;

test.each([
  ['identity', Buffer.from('a'), Buffer.from('a')],
  ['gzip', gzipSync(Buffer.alloc(100_000, 'abc')), gzipSync('more')],
  ['zstd', PACKED, PACKED],
])(
  'content of %s that a request has begun to read and then refuses leaves no body, timer or thread',
  async (encoding, first, rest) => {
    let isCancelled = false;
    const ports = openPorts();
    const context = endless(encoding, first, rest, () => {
      isCancelled = true;
    });
    const refused = withContent(context, 1_000_000, async (content) => {
      const { done } = await content[Symbol.asyncIterator]().next();
      expect(done).toBe(false);
      throw new Error('refused');
    });
    await expect(refused).rejects.toThrow('refused');
    await expect.poll(() => isCancelled).toBe(true);
    await expect.poll(openPorts).toBeLessThanOrEqual(ports);
  },
);

test.each([
  ['skipped', 'zstd', skippable(100_000)],
  ['empty', 'zstd', Buffer.concat(Array.from({ length: 5_000 }, () => frame(raw(''))))],
  ['empty', 'gzip', Buffer.concat(Array.from({ length: 5_000 }, () => gzipSync('')))],
])('content that is %s without an end is refused (%s)', async (_, encoding, piece) => {
  const reading = withContent(
    endless(encoding, piece, piece, () => undefined),
    10_000_000_000,
    async (content) => {
      for await (const chunk of content) expect(chunk.length).toBe(0);
    },
  );
  await expect(reading).rejects.toMatchObject({ code: 'body_too_large' });
});

test('a body without an end is refused once more has arrived than the content may have', async () => {
  const piece = Buffer.alloc(100_000, 'a');
  const reading = withContent(
    endless('identity', piece, piece, () => undefined),
    1_000_000,
    async (content) => {
      for await (const chunk of content) expect(chunk.length).toBe(100_000);
    },
  );
  await expect(reading).rejects.toMatchObject({ code: 'body_too_large' });
});
