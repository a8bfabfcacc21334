import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../harness/repository.ts';
import { nameOf, packages, UNDECLARED } from './locked-packages.ts';

/** Under which licences the packages are that we ship, that we build with, and what a list of them says. */

/** Licences that ask for no more than to be named. */
const SHIPPED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC-BY-4.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
]);
/** And those of tools and test data, which run here and are not passed on. */
const HERE = new Set([...SHIPPED, 'MPL-2.0', 'ODbL-1.0', 'Python-2.0']);

/** Whether an SPDX expression leaves a way that is allowed: one of its alternatives, with all of its parts. */
const isAllowed = (expression: string, allowed: ReadonlySet<string>): boolean =>
  expression
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((way) => way.split(' AND ').every((licence) => allowed.has(licence)));

test('every package that is installed with the service is under a licence that lets us ship it, every other one under one that lets us use it', () => {
  expect(packages.length).toBeGreaterThan(400);
  const refused = packages.flatMap(([path, { license, dev }]) => {
    const licence = license ?? UNDECLARED[nameOf(path)]?.[0] ?? 'none';
    return isAllowed(licence, dev ? HERE : SHIPPED) ? [] : [`${path}: ${licence}`];
  });
  expect(refused).toEqual([]);
});

test('packages that do not declare their licence have the one that is noted here', () => {
  const undeclared = packages.filter(([, { license }]) => license === undefined).map(([path]) => nameOf(path));
  expect(undeclared.sort()).toEqual(Object.keys(UNDECLARED).sort());
  for (const [name, [, sentence]] of Object.entries(UNDECLARED))
    expect(readFileSync(join(ROOT, 'node_modules', name, 'LICENSE'), 'utf8')).toContain(sentence);
});
