import { randomBytes } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { expect, test } from 'vitest';
import { loadConfig } from '../../process/config.ts';
import { EncryptionCodec } from '../../process/payload-codec.ts';

const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = [randomBytes(32), randomBytes(32)];
const payload: Payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"planted"') };
const text = (of: Payload | undefined): string => Buffer.from(of?.data ?? []).toString();

test('an encrypted payload is decrypted to the same bytes, and its ciphertext differs each time', async () => {
  const codec = new EncryptionCodec([first]);
  const [one, other] = await codec.encode([payload, payload]);
  expect(text(one)).not.toContain('planted');
  expect(text(one)).not.toBe(text(other));
  const [decoded] = await codec.decode([one as Payload]);
  expect(text(decoded)).toBe('"planted"');
  expect(Buffer.from(decoded?.metadata?.encoding ?? []).toString()).toBe('json/plain');
});

test('a payload that was not encrypted is returned unchanged', async () => {
  expect(await new EncryptionCodec([first]).decode([payload])).toEqual([payload]);
});

test('a new key encrypts, an old one still decrypts', async () => {
  const [old] = await new EncryptionCodec([first]).encode([payload]);
  const rotated = new EncryptionCodec([second, first]);
  const [decoded] = await rotated.decode([old as Payload]);
  expect(text(decoded)).toBe('"planted"');
  const [fresh] = await rotated.encode([payload]);
  expect(fresh?.metadata?.['encryption-key-id']).not.toEqual(old?.metadata?.['encryption-key-id']);
  await expect(new EncryptionCodec([first]).decode([fresh as Payload])).rejects.toThrow(
    /^a payload was encrypted with key [0-9a-f]{16}, which is not in DROVER_PAYLOAD_KEY$/,
  );
});

test('a payload that was changed in transit is refused', async () => {
  const codec = new EncryptionCodec([first]);
  const [encrypted] = await codec.encode([payload]);
  for (const at of [0, 13, -1]) {
    const data = Buffer.from(encrypted?.data ?? []);
    data[at < 0 ? data.length + at : at] = (data.at(at) ?? 0) ^ 1;
    await expect(codec.decode([{ ...encrypted, data }])).rejects.toThrow();
  }
  await expect(codec.decode([{ ...encrypted, data: Buffer.alloc(5) }])).rejects.toThrow('too short');
});

test('keys are 32 bytes in base64; anything else stops the process without printing the key', () => {
  expect(
    loadConfig({ DROVER_PAYLOAD_KEY: `${first.toString('base64')}, ${second.toString('base64')}` }).DROVER_PAYLOAD_KEY,
  ).toEqual([first, second]);
  for (const wrong of ['short', first.toString('hex'), `${first.toString('base64')},`]) {
    expect(() => loadConfig({ DROVER_PAYLOAD_KEY: wrong })).toThrow(
      /^DROVER_PAYLOAD_KEY: must be keys of 32 bytes in base64, separated by commas$/,
    );
  }
});
