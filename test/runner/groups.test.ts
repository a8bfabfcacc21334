import { globSync } from 'tinyglobby';
import { expect, test } from 'vitest';
import { ROOT } from '../harness/repository.ts';
import { GROUPS, LONGEST, SEPARATE, WITHOUT_SERVERS } from './groups.ts';

const filesOf = (patterns: readonly string[], ignore: readonly string[] = []): string[] =>
  globSync({ patterns: [...patterns], ignore: ['**/node_modules/**', ...ignore], cwd: ROOT, expandDirectories: false });

test.each([...SEPARATE, ...LONGEST, ...WITHOUT_SERVERS, ...GROUPS.flatMap(({ include }) => include)])(
  '%s names a test file',
  (pattern) => {
    for (const each of alternatives(pattern)) expect([each, filesOf([each]).length > 0]).toEqual([each, true]);
  },
);

test('every test file is in one group', () => {
  const grouped = GROUPS.flatMap(({ include, exclude }) => filesOf(include, exclude)).sort();
  expect(grouped).toEqual(filesOf(['**/*.test.ts'], ['.drover/**', 'dist/**']).sort());
});

/** Expands `a{b,c}` to `ab` and `ac`. */
function alternatives(pattern: string): string[] {
  const [, before, names, after] = /^(.*)\{(.*)\}(.*)$/.exec(pattern) ?? [];
  return names === undefined ? [pattern] : names.split(',').map((name) => `${before}${name}${after}`);
}
