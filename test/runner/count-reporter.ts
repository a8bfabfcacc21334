import { appendFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends the output of a run with one plain line, `N passed, N failed`, for programs to read. A failure outside a test (a
 * file that does not load, an uncaught error) counts as failed. `DROVER_TEST_COUNTS` names a file that receives
 * the line instead: .ci/run adds its own steps to it. A test that passed only when it was repeated is named: it counts as a bug of Drover until
 * proven otherwise.
 */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests)
        if (test.diagnostic()?.flaky) console.log(`flaky: ${module.moduleId}: ${test.fullName}`);
      const results = tests.map((test) => test.result().state);
      passed += results.filter((state) => state === 'passed').length;
      const failures = results.filter((state) => state === 'failed').length;
      failed += failures === 0 && module.state() === 'failed' ? 1 : failures;
    }
    const line = `${passed} passed, ${failed} failed\n`;
    const file = process.env.DROVER_TEST_COUNTS;
    if (file) appendFileSync(file, line);
    else process.once('exit', () => process.stdout.write(line));
  }
}
