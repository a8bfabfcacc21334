import { availableParallelism } from 'node:os';
import { type Config, ConfigError } from '../../process/config.ts';

/** Which workers `npm start` runs, each by its configuration. */
interface Layout {
  /** In its own process, beside the API. Null: none, as the operator wants activities alone, and these have processes of their own. */
  readonly here: Config | null;
  /** In further processes, one each. */
  readonly apart: readonly Config[];
}

/** More are for those who have measured that they help: the servers need cores too. */
const MOST_BY_DEFAULT = 4;

/**
 * Activities run apart from API and workflows: what answers a caller would otherwise wait for resources that are being written. They get as many
 * processes as are configured, else one for each two cores, up to four.
 */
export function layoutOf(config: Config, cores = availableParallelism()): Layout {
  const tasks = config.WORKER_TASKS;
  const count = config.WORKER_PROCESSES ?? Math.min(MOST_BY_DEFAULT, Math.max(1, Math.floor(cores / 2)));
  if (tasks === 'workflows' || count === 0) return { here: config, apart: [] };
  const here: Config | null = tasks === 'all' ? { ...config, WORKER_TASKS: 'workflows' } : null;
  const apart = Array.from({ length: count }, (_, index): Config => {
    const workersBefore = index + (here ? 1 : 0);
    return { ...config, WORKER_TASKS: 'activities', ...metricsAfter(config, workersBefore) };
  });
  return { here, apart };
}

const LAST_PORT = 65_535;

/** The address of a worker's metrics: one port after those of the workers before it. @throws ConfigError if there is no such port. */
function metricsAfter(
  { WORKER_METRICS_ADDRESS: address }: Config,
  workersBefore: number,
): Pick<Config, 'WORKER_METRICS_ADDRESS'> {
  if (address === undefined) return {};
  const colon = address.lastIndexOf(':');
  const first = Number(address.slice(colon + 1));
  // the system chooses one for each
  if (first === 0) return {};
  const port = first + workersBefore;
  if (port > LAST_PORT) throw new ConfigError(`WORKER_METRICS_ADDRESS: there is no port ${port}, for another worker`);
  return { WORKER_METRICS_ADDRESS: `${address.slice(0, colon)}:${port}` };
}
