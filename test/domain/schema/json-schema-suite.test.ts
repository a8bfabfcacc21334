import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { cacheDirectory } from '../../../embedded/cache.ts';
import { onceBuilt } from '../../../embedded/once-built.ts';
import { run } from '../../../embedded/processes.ts';
import { differenceOf, type SuiteGroup } from './suite-case.ts';
import { EXCEPTIONS } from './suite-exceptions.ts';

/** The package that carries JSON Schema's own test suite as data; no npm package has a recent one. */
const PACKAGE = { name: 'jsonschema', version: '4.26.0' };
const ARCHIVE = `${PACKAGE.name}-${PACKAGE.version}`;
const SHA256 = '0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326';
const DOWNLOAD_TIMEOUT_MS = 120_000;

const FOLDER = join(cacheDirectory(), `json-schema-suite-${PACKAGE.version}`);
/** A machine with Node alone does without; full checks never do. */
const canFetch =
  process.env.CI === 'true' || existsSync(FOLDER) || spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
if (!canFetch) console.log("skipped: JSON Schema's own test suite, which python3 and pip fetch");

/** The folder of the suite, fetched once with pip and kept in the cache. */
function suiteFolder(): Promise<string> {
  return onceBuilt(FOLDER, 'fetching the test suite of JSON Schema', console.log, async (unfinished) => {
    mkdirSync(unfinished, { recursive: true });
    const source = ['--no-deps', '--no-binary', ':all:', '-d', unfinished, `${PACKAGE.name}==${PACKAGE.version}`];
    await run('python3', ['-m', 'pip', 'download', '-q', ...source], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
    const archive = join(unfinished, `${ARCHIVE}.tar.gz`);
    expect(createHash('sha256').update(readFileSync(archive)).digest('hex')).toBe(SHA256);
    await run('tar', ['-xzf', archive, '-C', unfinished, `${ARCHIVE}/json`], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  });
}

let tests: string;
beforeAll(async () => {
  if (canFetch) tests = join(await suiteFolder(), ARCHIVE, 'json/tests');
}, DOWNLOAD_TIMEOUT_MS);

/** Groups of a draft that we differ from, by file. */
function differences(draft: string): { groups: number; differing: Record<string, string[]> } {
  let groups = 0;
  const differing: Record<string, string[]> = {};
  for (const folder of ['', 'optional', 'optional/format']) {
    const files = readdirSync(join(tests, draft, folder)).filter((file) => file.endsWith('.json'));
    for (const name of files) {
      const file = [draft, folder, name].filter((part) => part !== '').join('/');
      for (const group of JSON.parse(readFileSync(join(tests, file), 'utf8')) as SuiteGroup[]) {
        groups += 1;
        if (differenceOf(draft, group) === null) continue;
        differing[file] ??= [];
        differing[file].push(group.description);
      }
    }
  }
  return { groups, differing };
}

/** What `EXCEPTIONS` names of a draft. */
function excepted(draft: string): Record<string, string[]> {
  const named: Record<string, string[]> = {};
  for (const files of Object.values(EXCEPTIONS)) {
    for (const [file, groups] of Object.entries(files)) {
      if (file.startsWith(`${draft}/`)) named[file] = [...(named[file] ?? []), ...groups];
    }
  }
  return named;
}

const sorted = (groups: Record<string, string[]>) =>
  Object.fromEntries(Object.entries(groups).map(([file, names]) => [file, names.toSorted()]));

describe.skipIf(!canFetch)('the test suite of JSON Schema, formats and regular expressions included', () => {
  it.each([
    ['draft7', 300],
    ['draft2020-12', 380],
  ])('holds for %s, but for what is named', (draft, atLeast) => {
    const { groups, differing } = differences(draft);
    expect(groups).toBeGreaterThan(atLeast);
    expect(sorted(differing)).toEqual(sorted(excepted(draft)));
  });
});
