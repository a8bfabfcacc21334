import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { CountReporter } from './test/runner/count-reporter.ts';
import { GROUPS } from './test/runner/groups.ts';
import { LongestFirst } from './test/runner/longest-first.ts';

/** As `paths` in tsconfig.json: the source, which needs no build. */
export const RESOLVE = {
  alias: {
    '@drover/cli': fileURLToPath(new URL('packages/cli/src/run.ts', import.meta.url)),
    '@drover/client': fileURLToPath(new URL('packages/client/src/index.ts', import.meta.url)),
  },
};

/** What the tests of every group have in common. */
export const COMMON = {
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // a state that is waited for may take its time; by default a test fails after one second
  expect: { poll: { timeout: 30_000, interval: 20 } },
  // On a shared machine a test may meet a stall of seconds. One that passes only when repeated is named in the output.
  retry: process.env.CI === 'true' ? 2 : 0,
} as const;

export default defineConfig({
  test: {
    globalSetup: ['test/runner/global-servers.ts'],
    sequence: { sequencer: LongestFirst },
    teardownTimeout: 20_000,
    reporters: ['default', new CountReporter()],
    projects: GROUPS.map((group) => ({ resolve: RESOLVE, test: { ...COMMON, ...group } })),
  },
});
