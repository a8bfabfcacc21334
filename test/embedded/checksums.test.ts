import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertChecksums, ChecksumError } from '../../embedded/checksums.ts';
import { javaClassPath } from '../../embedded/java-tools.ts';
import { run } from '../../embedded/processes.ts';
import { downloadTemporal, releaseOf } from '../../embedded/temporal-binary.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-checksums-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('a folder agrees with its list, or the first difference is named', () => {
  const [files, list] = [join(folder, 'jars'), join(folder, 'jars.sha256')];
  mkdirSync(files);
  writeFileSync(join(files, 'a.jar'), 'a');
  writeFileSync(join(files, 'b.jar'), 'b');
  writeFileSync(list, `${sha256('a')}  a.jar\n${sha256('b')}  b.jar\n`);
  assertChecksums(files, list);
  writeFileSync(join(files, 'b.jar'), 'other');
  expect(() => assertChecksums(files, list)).toThrow(/^b\.jar has the SHA-256 [0-9a-f]{64}, not /);
  rmSync(join(files, 'b.jar'));
  expect(() => assertChecksums(files, list)).toThrow('b.jar is in jars.sha256, but was not downloaded');
  writeFileSync(join(files, 'c.jar'), 'c');
  expect(() => assertChecksums(files, list)).toThrow(ChecksumError);
});

test.each(['mongodb', 'temporal-test-server'])('the jars of %s agree with the list', async (name) => {
  const [, jars = ''] = (await javaClassPath(name, () => undefined)).split(':');
  assertChecksums(jars.slice(0, -1), join(import.meta.dirname, '../../embedded/java', name, 'jars.sha256'));
});

test('a download of Temporal that differs from the release is not unpacked', async () => {
  const content = join(folder, 'content');
  mkdirSync(content);
  writeFileSync(join(content, 'temporal'), '#!/bin/sh\n');
  const archive = join(folder, 'archive.tar.gz');
  await run('tar', ['-czf', archive, '-C', content, 'temporal'], { timeoutMs: 10_000 });
  const bytes = readFileSync(archive);
  const server = createServer((_, response) => response.end(bytes)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/temporal.tar.gz`;
  const target = join(folder, 'temporal');
  await expect(downloadTemporal({ url, sha256: sha256('other') }, target)).rejects.toThrow(ChecksumError);
  expect([existsSync(target), existsSync(`${target}.folder`)]).toEqual([false, false]);
  await downloadTemporal({ url, sha256: sha256(bytes) }, target);
  expect(readFileSync(target, 'utf8')).toBe('#!/bin/sh\n');
  server.close();
});

test('there is a checksum for each machine that a release is downloaded for', () => {
  for (const platform of ['linux', 'darwin']) {
    for (const arch of ['x64', 'arm64']) {
      expect(releaseOf(platform, arch)).toEqual({
        url: expect.stringMatching(/^https:\/\/github\.com\/temporalio\/cli\/releases\/download\/v1\.5\.1\//),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    }
  }
  expect(releaseOf('win32', 'x64')).toBeNull();
  expect(releaseOf('linux', 'ia32')).toBeNull();
});
