import { expect, test } from 'vitest';
import { read } from '../harness/repository.ts';

test('docs/operations.md names every variable of the configuration', () => {
  const configured = [...read('process/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name = '']) => name);
  const page = read('docs/operations.md');
  expect(configured.length).toBeGreaterThan(20);
  expect(configured.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
