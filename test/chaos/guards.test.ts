import { expect, test } from 'vitest';
import { GUARD_NAMES, GUARDS, type Guard } from '../../chaos/faults/guards.ts';
import { filesWithout } from '../../chaos/faults/sources.ts';

test.each(GUARD_NAMES)('the sources can be copied without %s: the guard is where chaos expects it', async (name) => {
  const guard: Guard = GUARDS[name];
  const changes = guard.repair === undefined ? [guard] : [guard, guard.repair];
  const files = await filesWithout(name);
  expect(files.map(({ file }) => file)).toEqual(changes.map(({ file }) => file));
  for (const [n, { text }] of changes.entries()) expect(files[n]?.source.split(text)).toHaveLength(1);
});
