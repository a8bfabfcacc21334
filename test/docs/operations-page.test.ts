import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

test('docs/operations.md names every variable of the configuration', () => {
  const configured = [...read('process/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name = '']) => name);
  const page = read('docs/operations.md');
  expect(configured.length).toBeGreaterThan(20);
  expect(configured.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
