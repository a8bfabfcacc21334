import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { startMongodb } from '../../dev/mongodb.ts';
import { startTemporal } from '../../dev/temporal.ts';
import type { Victim } from './killer.ts';
import { quietPorts } from './ports.ts';
import { FaultyProxy } from './proxy.ts';
import type { Random } from './random.ts';
import { startProgram, Supervised } from './supervised.ts';

const DATABASE = 'drover';
const TASK_QUEUE = 'drover';
/** Short, so that what a killed worker has left goes on soon, in s. */
const ACTIVITY_TIMEOUT_SECONDS = 6;
/** Longest time after the faults until everything answers, in ms. */
const RECOVERY_MS = 60_000;

/** A whole Drover in processes of its own, with proxies between them. */
export interface Installation {
  /** Where clients call: through a proxy. */
  readonly clientUrl: string;
  /** Where the checker calls. */
  readonly apiUrl: string;
  readonly mongodbUri: string;
  readonly database: string;
  readonly victims: readonly Victim[];
  /** Each with the mean time between its faults, in ms. */
  readonly proxies: readonly { readonly proxy: FaultyProxy; readonly meanMs: number }[];
  /** Waits until everything is up and answers again. @throws where that does not come about. */
  recovered(): Promise<void>;
  /** Runs the sweeper now instead of within a minute. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

export interface InstallationOptions {
  readonly random: Random;
  /** Folder for data and logs. */
  readonly folder: string;
  /** Folder of the sources to run. */
  readonly sources: string;
  readonly say: (line: string) => void;
}

/** Starts everything, on ports that stay, and returns when it can be used. What was started ends when one of it cannot be. */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const started: Array<() => Promise<void>> = [];
  const stop = async (): Promise<void> => {
    for (const end of started.splice(0).reverse()) await end().catch(() => undefined);
  };
  try {
    return await start(options, started, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  { random, folder, sources, say }: InstallationOptions,
  started: Array<() => Promise<void>>,
  stop: () => Promise<void>,
): Promise<Installation> {
  const [mongodbPort = 0, temporalPort = 0, apiPort = 0, ...proxyPorts] = await quietPorts(random, 8);
  const supervise = <T extends Supervised>(supervised: T): T => {
    started.push(() => supervised.stop());
    return supervised;
  };
  const mongodb = await startMongodb({ dataDir: folder, preferredPort: mongodbPort, say });
  const mongodbProcess = supervise(new Supervised('MongoDB', mongodb.process));
  const temporal = await startTemporal({ dataDir: folder, preferredPort: temporalPort, namespace: 'default', ui: false, say });
  const temporalProcess = supervise(new Supervised('Temporal', temporal.process));

  const proxies: { proxy: FaultyProxy; meanMs: number }[] = [];
  const between = async (name: string, upstreamPort: number, meanMs: number): Promise<number> => {
    const port = proxyPorts.shift() ?? 0;
    const proxy = await FaultyProxy.listen(name, port, upstreamPort);
    started.push(() => proxy.close());
    proxies.push({ proxy, meanMs });
    return port;
  };
  const uri = (port: number): string => `mongodb://127.0.0.1:${port}/?directConnection=true`;
  const environment = (mongodbProxy: number, temporalProxy: number) => ({
    MONGODB_URI: uri(mongodbProxy),
    MONGODB_DATABASE: DATABASE,
    TEMPORAL_ADDRESS: `127.0.0.1:${temporalProxy}`,
    TEMPORAL_TASK_QUEUE: TASK_QUEUE,
    ACTIVITY_TIMEOUT_SECONDS: String(ACTIVITY_TIMEOUT_SECONDS),
    LOG_LEVEL: 'warn',
  });
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const api = supervise(
    await startProgram({
      name: 'API',
      file: join(sources, 'api/main.ts'),
      environment: {
        ...environment(await between('API to MongoDB', mongodbPort, 1_500), await between('API to Temporal', temporalPort, 3_000)),
        PORT: String(apiPort),
      },
      log: join(folder, 'api.log'),
      answers: async () => {
        await fetch(`${apiUrl}/healthz`);
      },
    }),
  );
  const forWorkers = environment(await between('workers to MongoDB', mongodbPort, 300), await between('workers to Temporal', temporalPort, 1_500));
  const workers: Supervised[] = [];
  for (const name of ['worker 1', 'worker 2']) {
    workers.push(
      supervise(
        await startProgram({
          name,
          file: join(sources, 'worker/main.ts'),
          environment: forWorkers,
          log: join(folder, `${name.replace(' ', '-')}.log`),
          answers: async () => undefined,
        }),
      ),
    );
  }
  const clientPort = await between('clients to API', apiPort, 800);
  const connection = Connection.lazy({ address: `127.0.0.1:${temporalPort}` });
  started.push(() => connection.close());
  const processes = [api, mongodbProcess, temporalProcess, ...workers];
  const installation: Installation = {
    clientUrl: `http://127.0.0.1:${clientPort}`,
    apiUrl,
    mongodbUri: mongodb.uri,
    database: DATABASE,
    victims: [
      ...workers.map((process) => ({ process, weight: 3 })),
      { process: api, weight: 2 },
      { process: temporalProcess, weight: 1.5 },
      { process: mongodbProcess, weight: 2 },
    ],
    proxies,
    recovered: () => recovered(apiUrl, processes),
    sweep: async () => {
      const schedule = new Client({ connection }).schedule.getHandle(`${TASK_QUEUE}-sweep`);
      await schedule.trigger().catch((error: unknown) => say(`the sweeper could not be triggered: ${error}`));
    },
    stop,
  };
  await installation.recovered();
  return installation;
}

async function recovered(apiUrl: string, processes: readonly Supervised[]): Promise<void> {
  const deadline = Date.now() + RECOVERY_MS;
  for (;;) {
    const isReady = await fetch(`${apiUrl}/readyz`, { signal: AbortSignal.timeout(3_000) }).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (isReady && processes.every((process) => process.isUp)) return;
    if (Date.now() > deadline) {
      const down = processes.filter((process) => !process.isUp).map(({ name }) => name);
      throw new Error(`not recovered after ${RECOVERY_MS / 1000} s: ${down.join(', ') || '/readyz is not 200'}`);
    }
    await sleep(100);
  }
}
