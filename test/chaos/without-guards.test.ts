import { describe, expect, test } from 'vitest';
import { GUARD_NAMES, GUARDS } from '../../chaos/faults/guards.ts';
import { runWithout } from '../../chaos/faults/without.ts';
import { runChaos } from '../../chaos/run.ts';

/** A minute for each test, so only on demand: `CHAOS_GUARDS=1 npx vitest run test/chaos/without-guards.test.ts`. */
const TIMEOUT_MS = 300_000;
const LOAD = { seed: '1', loadSeconds: 25 };

describe.runIf(process.env.CHAOS_GUARDS).each(GUARD_NAMES)('%s', (name) => {
  test(
    'without it the checker finds a violation',
    async () => {
      const { isCaught } = await runWithout(name, LOAD);
      expect(isCaught).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    'with it the same load holds',
    async () => {
      const { workload, faults } = GUARDS[name];
      const { report } = await runChaos({ ...LOAD, workload, faults });
      expect(report.violations).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
