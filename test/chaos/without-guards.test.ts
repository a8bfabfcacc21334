import { expect, test } from 'vitest';
import { GUARD_NAMES } from '../../scripts/chaos/guards.ts';
import { runWithout } from '../../scripts/chaos/without.ts';

/**
 * Each guard taken away is found out: one to two minutes each, so only on demand:
 * `CHAOS_GUARDS=1 npx vitest run test/chaos/without-guards.test.ts`
 */
test.runIf(process.env.CHAOS_GUARDS).each(GUARD_NAMES)(
  'without %s the checker finds a violation',
  async (name) => {
    const { isCaught } = await runWithout(name, { seed: '1', loadSeconds: 25, say: (line) => console.log(line) });
    expect(isCaught).toBe(true);
  },
  300_000,
);
