import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

test('docs/operations.md tells of every variable of the configuration', () => {
  const configured = [...read('config.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name = '']) => name);
  const page = read('docs/operations.md');
  expect(configured.length).toBeGreaterThan(20);
  expect(configured.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('every path that SECURITY.md and docs/operations.md name is there', () => {
  for (const file of ['SECURITY.md', 'docs/operations.md']) {
    for (const [, path = ''] of read(file).matchAll(
      /`((?:test|api|store|isolation|services|activities|workflows|worker|domain|embedded|chaos|bench|testkit)\/[\w./-]+)`/g,
    )) {
      const candidates = [path, `${path}.test.ts`].map((each) => join(import.meta.dirname, '../..', each));
      expect([file, path, candidates.some(isThere)]).toEqual([file, path, true]);
    }
  }
});

function isThere(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch (error) {
    // a folder is there too
    return (error as NodeJS.ErrnoException).code === 'EISDIR';
  }
}
