import { availableParallelism } from 'node:os';
import { type Config, ConfigError } from '../../process/config.ts';

/** Which workers `npm start` runs, each by its configuration. */
interface Layout {
  /** In its own process, beside the API. Null: none. */
  readonly here: Config | null;
  /** In further processes, one each. */
  readonly apart: readonly Config[];
}

/** More are for those who have measured that they help: the servers need cores too. */
const MOST_BY_DEFAULT = 4;

/**
 * Activities run apart from workflows, and both from the API: what answers a caller would otherwise wait for resources that are being written, or
 * for a request that is being accepted. Workflows get one process, activities as many as are configured, else one for each two cores, up to four.
 */
export function layoutOf(config: Config, cores = availableParallelism()): Layout {
  const tasks = config.WORKER_TASKS;
  const count = config.WORKER_PROCESSES ?? Math.min(MOST_BY_DEFAULT, Math.max(1, Math.floor(cores / 2)));
  if (tasks === 'workflows' || count === 0) return { here: config, apart: [] };
  const activities = Array.from({ length: count }, () => 'activities' as const);
  const all = tasks === 'all' ? (['workflows', ...activities] as const) : activities;
  const apart = all.map((own, before): Config => ({ ...config, WORKER_TASKS: own, ...metricsAfter(config, before) }));
  return { here: null, apart };
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
