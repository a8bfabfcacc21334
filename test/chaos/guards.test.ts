import { expect, test } from 'vitest';
import { GUARD_NAMES, GUARDS } from '../../chaos/faults/guards.ts';
import { patchedFile } from '../../chaos/faults/sources.ts';

test.each(GUARD_NAMES)('the sources can be copied without %s: the guard is where chaos looks for it', async (name) => {
  const patched = await patchedFile(name);
  expect(patched).not.toContain(GUARDS[name].text);
});
