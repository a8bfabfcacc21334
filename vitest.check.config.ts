import { defineConfig } from 'vitest/config';
import { WITHOUT_SERVERS } from './test/runner/groups.ts';
import { COMMON, RESOLVE } from './vitest.config.ts';

/** The tests of `npm run check`: those that need no server. */
export default defineConfig({
  resolve: RESOLVE,
  test: { ...COMMON, include: WITHOUT_SERVERS, maxWorkers: 2, isolate: false },
});
