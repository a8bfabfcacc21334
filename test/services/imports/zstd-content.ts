/** Content of zstd, without a compressor: a file of `zstd -19`, and frames written by hand (RFC 8878). */

/** Rows of newline-delimited JSON. */
export const UNPACKED = Array.from(
  { length: 40 },
  (_, at) => `{"externalId":"zstd-${at}","name":"City number ${(at * 7919) % 1000} of the same few words"}\n`,
).join('');

export const PACKED = Buffer.from(
  'KLUv/WQvCm0HALKNJhtgbdosTaE3sCuw6QkE08U3IpdWducHJQjg4vDJx+vjEZUd846Hx5RHzuPqUdUP92f8a/5t/zQXDdnuus8SYzpT2ZfKeGozrVJeVYrTsm93' +
    'nZBZ2832+hQZMTdNlbaqWpWri4x8bW2ACWIszsJxxzp8MQrjC/H8sHi6swxMoznkSRDQAC1GaVAAJcHyMCJogJaCQmmc9TwWkgRPqCGIw/f/DsDVqA4S+L9BAF/A' +
    'EDAEvz9119AmTMgDn0bz/2Oa/o+mnZc21//J6GW/Y/t/YrvBLL8swagLW5mMDAFPRle3DHpUeY1vgUxJFWUIe0o=',
  'base64',
);

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** A window of 128 KiB. */
const WINDOW = 0x38;

const blockHeader = (type: number, size: number): Buffer => {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | 1, 0, 3);
  return header;
};

/** The last block of a frame, as it is. */
export const raw = (text: string): Buffer =>
  Buffer.concat([blockHeader(0, Buffer.byteLength(text)), Buffer.from(text)]);

/** The last block of a frame: a character, many times. */
export const rle = (character: string, times: number): Buffer =>
  Buffer.concat([blockHeader(1, times), Buffer.from(character)]);

export const frame = (block: Uint8Array, window = WINDOW): Buffer =>
  Buffer.concat([Buffer.from([...MAGIC, 0x00, window]), block]);

export function skippable(bytes: number): Buffer {
  const header = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  header.writeUInt32LE(bytes, 4);
  return Buffer.concat([header, Buffer.alloc(bytes)]);
}
