import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * A download has another checksum than the tested one: it is not run.
 * @internal exported for tests, which expect it
 */
export class ChecksumError extends Error {
  override readonly name = 'ChecksumError';
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** @throws ChecksumError if the bytes differ from the expected ones. */
export function assertChecksum(bytes: Uint8Array, expected: string, what: string): void {
  const found = sha256(bytes);
  if (found === expected) return;
  throw new ChecksumError(`${what} has the SHA-256 ${found}, not ${expected}: it is not used`);
}

/**
 * Checks every file of a folder against a list as `sha256sum` writes it.
 * @throws ChecksumError naming the first file that differs, is not listed, or is missing.
 */
export function assertChecksums(folder: string, listFile: string): void {
  const listed = new Map<string, string>();
  for (const [, hash = '', name = ''] of readFileSync(listFile, 'utf8').matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm))
    listed.set(name, hash);
  const list = basename(listFile);
  for (const name of readdirSync(folder).sort()) {
    const expected = listed.get(name);
    if (expected === undefined) throw new ChecksumError(`${name} is not in ${list}: it is not used`);
    assertChecksum(readFileSync(join(folder, name)), expected, name);
    listed.delete(name);
  }
  const [missing] = listed.keys();
  if (missing !== undefined) throw new ChecksumError(`${missing} is in ${list}, but was not downloaded`);
}
