import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ChaosFirst } from './test/chaos-first.ts';
import { CountReporter } from './test/count-reporter.ts';

export default defineConfig({
  // as `paths` in tsconfig.json: the source, which needs no build
  resolve: { alias: { '@drover/client': fileURLToPath(new URL('packages/client/src/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    globalSetup: ['test/global-servers.ts'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: ChaosFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    // a state that is waited for may take its time; by default a test fails after one second
    expect: { poll: { timeout: 30_000, interval: 20 } },
    // On a shared machine a test may meet a stall of seconds. One that passes only when repeated is named in the output.
    retry: process.env.CI === 'true' ? 2 : 0,
    reporters: ['default', new CountReporter()],
  },
});
