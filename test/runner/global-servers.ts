import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startServers } from '../../embedded/servers.ts';
import { loadConfig } from '../../process/config.ts';
import { bundleWorkflows } from '../../testkit/workflow-bundle.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A MongoDB in memory, shared by the whole run: use a database of your own. */
    mongodbUri: string;
    /** A Temporal dev server, shared by the whole run: use a task queue of your own. */
    temporalAddress: string;
    /** File with the workflows, bundled once for all workers of the run. */
    workflowBundle: string;
  }
}

/**
 * One Temporal dev server and one MongoDB in memory for the whole run. If `DROVER_TEST_MONGODB_URI` or
 * `DROVER_TEST_TEMPORAL_ADDRESS` is set, that server is used instead.
 */
export default async function startForTests(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startServers({
    config: loadConfig({
      MONGODB_URI: process.env.DROVER_TEST_MONGODB_URI,
      TEMPORAL_ADDRESS: process.env.DROVER_TEST_TEMPORAL_ADDRESS,
    }),
    dataDir: null,
    say: (line) => console.log(line),
  });
  project.provide('mongodbUri', servers.mongodbUri);
  project.provide('temporalAddress', servers.temporalAddress);
  process.env.DROVER_TEST_MONGODB_URI = servers.mongodbUri;
  process.env.DROVER_TEST_TEMPORAL_ADDRESS = servers.temporalAddress;
  const folder = await mkdtemp(join(tmpdir(), 'drover-test-'));
  project.provide('workflowBundle', await bundleWorkflows(fileURLToPath(new URL('../..', import.meta.url)), folder));
  return async () => {
    await rm(folder, { recursive: true });
    await servers.stop();
  };
}
