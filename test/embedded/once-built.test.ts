import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheDirectory } from '../../embedded/cache.ts';
import { onceBuilt } from '../../embedded/once-built.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-built-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('two processes that need the same thing at once build it once', async () => {
  const path = join(folder, 'thing');
  const said: string[] = [];
  let builds = 0;
  const need = () =>
    onceBuilt(
      path,
      'building a thing',
      (line) => said.push(line),
      async (unfinished) => {
        builds++;
        await sleep(200);
        writeFileSync(unfinished, 'whole');
      },
    );
  expect(await Promise.all([need(), need()])).toEqual([path, path]);
  expect(await need()).toBe(path);
  expect(builds).toBe(1);
  expect(readFileSync(path, 'utf8')).toBe('whole');
  expect(said).toHaveLength(2);
});

test('a build that fails leaves nothing behind, and the next one starts from the beginning', async () => {
  const path = join(folder, 'thing');
  const failing = onceBuilt(
    path,
    'building a thing',
    () => undefined,
    async (unfinished) => {
      writeFileSync(unfinished, 'half');
      throw new Error('no network');
    },
  );
  await expect(failing).rejects.toThrow('no network');
  expect(readdirSync(folder)).toEqual([]);
  await onceBuilt(
    path,
    'building a thing',
    () => undefined,
    async (unfinished) => writeFileSync(unfinished, 'whole'),
  );
  expect(existsSync(path)).toBe(true);
});

test('the cache is in the folder that the environment names', () => {
  expect(cacheDirectory({ DROVER_CACHE_DIR: '/kept', XDG_CACHE_HOME: '/x' })).toBe('/kept');
  expect(cacheDirectory({ XDG_CACHE_HOME: '/x' })).toBe('/x/drover');
  expect(cacheDirectory({})).toMatch(/\.cache\/drover$/);
});
