import { type Config, ConfigError } from '../process/config.ts';
import { startMongodb } from './mongodb.ts';
import type { Say } from './once-built.ts';
import type { ServerProcess } from './processes.ts';
import { startTemporal } from './temporal.ts';

interface ServersOptions {
  /** Its `MONGODB_URI` and `TEMPORAL_ADDRESS` are used if they are set, and nothing is started in their place. */
  readonly config: Config;
  /** Folder that keeps the data of both servers; null: all of it ends with them. */
  readonly dataDir: string | null;
  /** Whether to serve the Temporal UI. Default false. */
  readonly ui?: boolean;
  /** Whether to use the servers' usual ports (27017, 7233, 8233) if they are free. Default false: any free ports. */
  readonly usualPorts?: boolean;
  readonly say: Say;
}

export interface Servers {
  readonly mongodbUri: string;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string | null;
  /** Null if the server was not started here. */
  readonly mongo: ServerProcess | null;
  readonly temporal: ServerProcess | null;
  /** Stops what was started here. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Makes sure that there is a MongoDB and a Temporal to work with, and returns when both answer. What it starts ends with
 * this process, however that dies.
 * @throws ConfigError in production, where nothing is embedded; an error of one line if a server neither exists nor can be started.
 */
export async function startServers(options: ServersOptions): Promise<Servers> {
  const { config, dataDir, say } = options;
  if (config.NODE_ENV === 'production' && !(config.MONGODB_URI && config.TEMPORAL_ADDRESS)) {
    throw new ConfigError('MONGODB_URI and TEMPORAL_ADDRESS must be set when NODE_ENV is production');
  }
  const [mongodb, temporal] = await bothOrNone(
    say,
    config.MONGODB_URI
      ? external(say, 'MongoDB: MONGODB_URI')
      : startMongodb({ dataDir, say, ...(options.usualPorts ? { preferredPort: 27_017 } : {}) }),
    config.TEMPORAL_ADDRESS
      ? external(say, `Temporal: TEMPORAL_ADDRESS (${config.TEMPORAL_ADDRESS})`)
      : startTemporal({
          dataDir,
          say,
          namespace: config.TEMPORAL_NAMESPACE,
          ui: options.ui ?? false,
          ...(options.usualPorts ? { preferredPort: 7233, preferredUiPort: 8233 } : {}),
        }),
  );
  return {
    mongodbUri: mongodb?.uri ?? config.MONGODB_URI ?? '',
    temporalAddress: temporal?.address ?? config.TEMPORAL_ADDRESS ?? '',
    temporalUiUrl: temporal?.uiUrl ?? null,
    mongo: mongodb?.process ?? null,
    temporal: temporal?.process ?? null,
    stop: async () => {
      await temporal?.stop();
      await mongodb?.stop();
    },
  };
}

/** The configuration of a Drover that works with these servers. */
export const configuredFor = (config: Config, { mongodbUri, temporalAddress, temporalUiUrl }: Servers): Config => ({
  ...config,
  MONGODB_URI: mongodbUri,
  TEMPORAL_ADDRESS: temporalAddress,
  ...(temporalUiUrl !== null && { TEMPORAL_UI_URL: temporalUiUrl }),
});

async function external(say: Say, line: string): Promise<null> {
  say(line);
  return null;
}

interface Stoppable {
  stop(): Promise<void>;
}

/** Both servers, or, if one of them fails, the reasons, after the other one has started and been stopped. */
async function bothOrNone<A extends Stoppable | null, B extends Stoppable | null>(
  say: Say,
  one: Promise<A>,
  other: Promise<B>,
): Promise<[A, B]> {
  let underWay = 2;
  for (const starting of [one, other]) {
    const finished = (line: string): void => {
      underWay--;
      if (underWay > 0 && line) say(`${line} (waiting for the other server before stopping)`);
    };
    starting.then(
      () => finished(''),
      (error: unknown) => finished(messageOf(error)),
    );
  }
  const [first, second] = await Promise.allSettled([one, other]);
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value];
  const reasons: unknown[] = [];
  for (const result of [first, second]) {
    if (result.status === 'fulfilled') await result.value?.stop();
    else reasons.push(result.reason);
  }
  throw new Error(reasons.map(messageOf).join('\n'), { cause: reasons[0] });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
