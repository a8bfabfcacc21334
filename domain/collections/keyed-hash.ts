/** Two secret words: without them nobody can choose texts with the same hash. */
export type HashKey = readonly [number, number];

/** A key that no caller knows. */
export function randomHashKey(): HashKey {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint32Array(2));
  return [a, b];
}

const FINAL_ROUNDS = 3;

/**
 * HalfSipHash-1-3 of some bytes: 32 bits.
 * @param length the number of bytes that count, from the first on.
 * @param about hashed before the bytes.
 */
export function keyedHash([k0, k1]: HashKey, bytes: Uint8Array, length: number, about: number): number {
  let a = k0;
  let b = k1;
  let c = 0x6c796765 ^ k0;
  let d = 0x74656462 ^ k1;
  // `about`, the whole words, and the remaining bytes with the length
  const words = (length >> 2) + 2;
  for (let round = 0; round < words + FINAL_ROUNDS; round++) {
    const word = round === 0 ? about : round < words ? wordAt(bytes, (round - 1) << 2, length) : 0;
    if (round === words) c ^= 0xff;
    d ^= word;
    a = (a + b) | 0;
    b = ((b << 5) | (b >>> 27)) ^ a;
    a = (a << 16) | (a >>> 16);
    c = (c + d) | 0;
    d = ((d << 8) | (d >>> 24)) ^ c;
    a = (a + d) | 0;
    d = ((d << 7) | (d >>> 25)) ^ a;
    c = (c + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ c;
    c = (c << 16) | (c >>> 16);
    a ^= word;
  }
  return (b ^ d) >>> 0;
}

/** Four bytes; after the end zeros, and the length in place of the last byte. */
function wordAt(bytes: Uint8Array, at: number, length: number): number {
  if (at + 4 <= length) {
    return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  }
  let word = length << 24;
  for (let last = length - 1; last >= at; last--) word |= (bytes[last] ?? 0) << (8 * (last - at));
  return word;
}
