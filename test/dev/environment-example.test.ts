import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../config.ts';

const root = join(import.meta.dirname, '../..');

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Name to value of each line of .env.example. */
function example(): Map<string, string> {
  const lines = read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm);
  return new Map([...lines].map(([, name = '', value = '']) => [name, value]));
}

test('.env.example names every variable of the configuration', () => {
  const configured = [...read('config.ts').matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name);
  const ofRunsOnly = ['NODE_ENV'];
  const named = example();
  expect(configured.length).toBeGreaterThan(10);
  expect(configured.filter((name) => name && !named.has(name) && !ofRunsOnly.includes(name))).toEqual([]);
});

test('the values in .env.example are the defaults', () => {
  expect(loadConfig(Object.fromEntries(example()))).toEqual(loadConfig({}));
});
