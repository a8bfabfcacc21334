import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDirectory } from '../embedded/cache.ts';
import { javaClassPath } from '../embedded/java-tools.ts';
import type { Say } from '../embedded/once-built.ts';

/**
 * The path of a script that starts Temporal's time-skipping test server, for
 * `TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`.
 * @throws one line that says which tool is missing.
 */
export async function timeSkippingServerExecutable(say: Say): Promise<string> {
  const classPath = await javaClassPath('temporal-test-server', say);
  const path = join(cacheDirectory(), 'bin', 'temporal-test-server');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nexec java -cp '${classPath}' io.temporal.testserver.TestServer "$1"\n`, {
    mode: 0o755,
  });
  return path;
}
