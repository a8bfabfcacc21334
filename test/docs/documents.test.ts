import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesOf, ROOT, read } from '../harness/repository.ts';

/** Files that documents name exist: those in code spans, and the targets of links. */
const LEFT_OUT = /^(?:packages\/client\/README|CHANGELOG)/;

const files = filesOf('*');
const documents = filesOf('*.md').filter((file) => !LEFT_OUT.test(file));

/** Paths from the root, with or without an extension; of a test also without `.test.ts`. */
const BELOW_ROOT =
  /`((?:test|api|store|isolation|services|activities|workflows|worker|domain|process|embedded|chaos|bench|testkit)\/[\w./-]+)`/g;

/** Names in documents that a program writes or serves, and that are no files of the repository. */
const NO_FILES = new Set(['journal.json', '/openapi.json']);

const isThere = (path: string): boolean => files.some((file) => file === path || file.endsWith(`/${path}`));

test('there are documents', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/architecture.md']));
});

/** Titles of tests, in quotes, before the file that has them: "one", "two" (`test/api/some.test.ts`). */
const NAMED_TESTS = /((?:"[^"]+"(?:, )?)+) \(`([\w./-]+\.test\.ts)`\)/g;

test('docs/testing.md leads from each invariant to tests that are there', () => {
  const page = read('docs/testing.md');
  const invariants = [...read('docs/architecture.md').matchAll(/^(\d)\. \*\*(?:No|Effects|Tenants|History)/gm)];
  const rows = invariants.map(([, n]) => new RegExp(`^\\| ${n}\\. .*`, 'm').exec(page)?.[0] ?? '');
  expect(rows.length).toBe(7);
  for (const row of rows) expect([row, [...row.matchAll(NAMED_TESTS)].length > 0]).toEqual([row, true]);
  const named = [...page.matchAll(NAMED_TESTS)].flatMap(([, titles = '', file = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ title, file })),
  );
  expect(named.filter(({ title, file }) => !read(file).includes(title))).toEqual([]);
});

describe.each(documents)('%s', (document) => {
  const text = read(document);

  test('names files that are there', () => {
    const named = [...text.matchAll(/`([\w@./-]+\.(?:ts|mjs|md|json|java|yml))`/g)].map(([, path = '']) => path);
    expect(named.filter((path) => !NO_FILES.has(path) && !isThere(path))).toEqual([]);
  });

  test('names files, folders and tests below the root that are there', () => {
    const named = [...text.matchAll(BELOW_ROOT)].map(([, path = '']) => path);
    const isAt = (path: string): boolean => existsSync(join(ROOT, path)) || existsSync(join(ROOT, `${path}.test.ts`));
    expect(named.filter((path) => !isAt(path))).toEqual([]);
  });

  test('has no conflict markers of a merge', () => {
    expect(text).not.toMatch(/^(?:<{7}|={7}|>{7})(?: |$)/m);
  });

  test('links to what is there', () => {
    const linked = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, path = '']) => path);
    expect(linked.filter((path) => !existsSync(join(ROOT, dirname(document), path)))).toEqual([]);
  });
});
