import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { unpackZstd } from '../../../services/imports/zstd/unpack-zstd.ts';
import { frame, PACKED, raw, rle, skippable, UNPACKED } from './zstd-content.ts';

async function* inPieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function unpacked(content: Uint8Array, size = content.length): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of unpackZstd(inPieces(content, size))) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test('content of zstd is unpacked, however it arrives, in one frame or several', async () => {
  for (const size of [1, 7, 4096]) expect(await unpacked(PACKED, size)).toBe(UNPACKED);
  const several = Buffer.concat([PACKED, skippable(100), frame(raw('between\n')), frame(rle('z', 9)), PACKED]);
  expect(await unpacked(several, 50)).toBe(`${UNPACKED}between\n${'z'.repeat(9)}${UNPACKED}`);
  expect(await unpacked(Buffer.alloc(0), 1)).toBe('');
});

test.each([
  ['breaks off in a block', PACKED.subarray(0, -40)],
  ['lacks its checksum', PACKED.subarray(0, -4)],
  ['has another checksum', changed(PACKED, -1)],
  ['has a changed byte', changed(PACKED, 100)],
  ['is no zstd', Buffer.from('{"externalId":"plain"}')],
  ['is followed by something else', Buffer.concat([PACKED, Buffer.from('plain')])],
  ['has a block of no kind', Buffer.concat([frame(raw('a')).subarray(0, 6), Buffer.from([7, 0, 0])])],
  ['has a block that is too large', frame(rle('z', 128 * 1024 + 1))],
  ['needs a dictionary', Buffer.concat([PACKED.subarray(0, 4), Buffer.from([0x01, 0x58, 9]), PACKED.subarray(6)])],
  ['is skipped beyond its end', skippable(10).subarray(0, -1)],
])('content that %s is not valid', async (_, content) => {
  await expect(unpacked(content, 30)).rejects.toThrow(expect.objectContaining({ name: 'InvalidZstdError' }));
});

function changed(content: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(content);
  const place = at < 0 ? copy.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
}

test('content that asks for a large window is refused before memory is taken for it', async () => {
  for (const descriptor of [0x69, 0x70, 0xff]) {
    const asking = Buffer.concat([frame(raw('a')).subarray(0, 4), Buffer.from([0x00, descriptor, 1, 0, 0])]);
    await expect(unpacked(asking)).rejects.toThrow(expect.objectContaining({ code: 'body_too_large' }));
  }
  const single = Buffer.concat([PACKED.subarray(0, 4), Buffer.from([0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0])]);
  await expect(unpacked(single)).rejects.toThrow(/needs a window of 4294967296 bytes/);
  expect(await unpacked(frame(raw('8 MiB is fine'), 0x68))).toBe('8 MiB is fine');
});

test('a reader that stops ends the thread and the sender, and content is passed on before it is whole', async () => {
  let isReleased = false;
  async function* sending(): AsyncGenerator<Uint8Array> {
    try {
      yield PACKED.subarray(0, 0);
      for (;;) {
        yield frame(rle('x', 100_000));
        await sleep(1);
      }
    } finally {
      isReleased = true;
    }
  }
  let bytes = 0;
  for await (const piece of unpackZstd(sending())) {
    bytes += piece.length;
    if (bytes > 5_000_000) break;
  }
  expect([bytes < 8_000_000, isReleased]).toEqual([true, true]);
});
