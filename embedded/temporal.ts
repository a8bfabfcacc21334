import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import type { Say } from './once-built.ts';
import { freePort, onFreePort } from './ports.ts';
import { type ServerProcess, startServer } from './processes.ts';
import { temporalBinary } from './temporal-binary.ts';

export interface EmbeddedTemporal {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

interface TemporalOptions {
  /** Folder that keeps the executions; null: they end with the server. */
  readonly dataDir: string | null;
  readonly namespace: string;
  /** Whether to serve the Temporal UI. */
  readonly ui: boolean;
  /** Ports to take if they are free. */
  readonly preferredPort?: number;
  readonly preferredUiPort?: number;
  /** Settings of the server in addition to the default ones below. */
  readonly dynamicConfig?: Readonly<Record<string, boolean | number>>;
  readonly say: Say;
}

/**
 * Search attributes by which a batch is found in the Temporal UI; docker-compose.yml registers the same.
 * @internal exported for tests, which create namespaces of their own with them
 */
export const SEARCH_ATTRIBUTES: Readonly<Record<string, 'Keyword'>> = {
  DroverPlatform: 'Keyword',
  DroverTenant: 'Keyword',
  DroverSchema: 'Keyword',
  DroverOperation: 'Keyword',
  DroverStatus: 'Keyword',
};

/**
 * Fairness lets tenants share a task queue. The rest lifts limits that protect a cluster from its users: on one machine
 * they would only slow its one user down.
 */
const DYNAMIC_CONFIG: Readonly<Record<string, boolean | number>> = {
  'matching.useNewMatcher': true,
  'matching.enableFairness': true,
  'matching.rps': 100_000,
  'matching.persistenceMaxQPS': 100_000,
  'frontend.rps': 100_000,
  'frontend.namespaceRPS': 100_000,
  'frontend.namespaceRPS.visibility': 1_000,
  'frontend.namespaceCount': 10_000,
  'history.rps': 100_000,
  // by default tasks leave a shard 20 times a second, and there is one: a batch alone waited up to 50 ms for each of its tasks
  'history.transferProcessorMaxPollRPS': 200,
  // one process needs only one partition of a task queue
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  // a deleted batch's executions go at once, not up to a minute later: it has no parent that would still have to be notified
  'history.transferProcessorEnsureCloseBeforeDelete': false,
};

/** Garbage that may accumulate, in percent of the memory in use: a fifth less CPU than with Go's default of 100, for some 100 MB of memory. */
const GARBAGE_COLLECTION = 400;

const ASK_TIMEOUT_MS = 1_000;

/** Starts a Temporal dev server and waits until its namespace answers with Drover's search attributes registered. */
export async function startTemporal(options: TemporalOptions): Promise<EmbeddedTemporal> {
  const binary = await temporalBinary(options.say);
  if (options.dataDir) mkdirSync(options.dataDir, { recursive: true });
  return onFreePort(options.preferredPort, async (port) => {
    const uiPort = options.ui ? await freePort(options.preferredUiPort) : null;
    const address = `127.0.0.1:${port}`;
    const server = await startServer({
      name: 'temporal',
      command: 'env',
      args: [`GOGC=${process.env.GOGC ?? GARBAGE_COLLECTION}`, binary, ...serverArguments(options, port, uiPort)],
      answers: () => namespaceAnswers(address, options.namespace),
    });
    return {
      address,
      uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}`,
      process: server,
      stop: () => server.stop(),
    };
  });
}

function serverArguments(options: TemporalOptions, port: number, uiPort: number | null): string[] {
  return [
    'server',
    'start-dev',
    ...['--ip', '127.0.0.1', '--port', String(port), '--namespace', options.namespace, '--log-level', 'error'],
    ...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(options.dataDir ? ['--db-filename', join(options.dataDir, 'temporal.db')] : []),
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ...Object.entries({ ...DYNAMIC_CONFIG, ...options.dynamicConfig }).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${value}`,
    ]),
  ];
}

/** @throws while the server does not answer, or has not registered the search attributes yet. */
async function namespaceAnswers(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: ASK_TIMEOUT_MS });
  try {
    await connection.withDeadline(Date.now() + ASK_TIMEOUT_MS, async () => {
      await connection.workflowService.describeNamespace({ namespace });
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      const missing = Object.keys(SEARCH_ATTRIBUTES).filter((name) => !(name in customAttributes));
      if (missing.length > 0) throw new Error(`not registered yet: ${missing.join(', ')}`);
    });
  } finally {
    await connection.close();
  }
}
