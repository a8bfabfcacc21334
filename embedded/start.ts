import { resolve } from 'node:path';
import { type Logger, pino } from 'pino';
import { assertSafeAddress } from '../api/middleware/loopback.ts';
import { startApi } from '../api/server.ts';
import { type Config, ConfigError, loadConfig } from '../process/config.ts';
import { onUncaughtError } from '../process/end.ts';
import { createLogger } from '../process/logging.ts';
import { type RunningWorker, startWorker } from '../worker/worker.ts';
import { dashboardOfCheckout } from './dashboard.ts';
import { tryHold } from './exclusive.ts';
import { isFree } from './ports.ts';
import { configuredFor, startServers } from './servers.ts';
import { layoutOf } from './workers/layout.ts';
import { startWorkerProcesses } from './workers/worker-processes.ts';

/**
 * `npm start`: everything in one command. Starts the servers that are not configured, then the API in this
 * process, and the workers of workflows and of activities in processes of their own. Ctrl-C stops all of it in order; a second one at once.
 */

/** A problem that the user can fix: reported in one line, without a stack. */
class StartError extends Error {}

const say = (line: string): void => console.log(line);
const complain = (line: string): void => console.error(line);

/** What has been started, to be stopped in the opposite order. */
const started: Array<() => Promise<void>> = [];

async function start(): Promise<void> {
  const config = loadConfig();
  assertSafeAddress(config);
  await needPort(config);
  if (!config.MONGODB_URI || !config.TEMPORAL_ADDRESS) await needDataDirectory(config);
  const dashboardBuild = dashboardOfCheckout(say);
  const servers = await startServers({
    config,
    dataDir: resolve(config.DROVER_DATA_DIR),
    ui: true,
    usualPorts: true,
    say,
  }).catch(asStartError);
  started.push(servers.stop);
  const connected = configuredFor(config, servers);
  const logger = createLogger(config, {}, pino.destination(2));
  onUncaughtError(logger, () => onFault(new StartError('an uncaught error; the log has it')));
  await startWorkers(connected, logger);
  const dashboard = await dashboardBuild;
  const api = await startApi(connected, logger, dashboard);
  started.push(api.stop);
  say('');
  if (dashboard !== null) say(`Dashboard    ${api.url}/`);
  say(`API          ${api.url}`);
  say(`Docs         ${api.url}/docs`);
  if (servers.temporalUiUrl) say(`Temporal UI  ${servers.temporalUiUrl}`);
  say(`MongoDB      ${servers.mongodbUri}`);
  say(`Temporal     ${servers.temporalAddress}`);
  const hasTokens = Boolean(config.JWT_SECRET || config.JWKS_URL);
  if (!hasTokens) say('Tokens       none: only this machine is served, and everybody on it may do everything');
  const token = hasTokens ? ` -H "authorization: Bearer $TOKEN"` : '';
  say(`Try          curl ${api.url}/partner/schema-definitions${token}`);
  say('');
  say(`ready ${api.url}`);
}

/** What the start of servers and worker processes throws has a message of one line, for the user. */
function asStartError(error: unknown): never {
  if (error instanceof Error && !(error instanceof ConfigError)) throw new StartError(error.message, { cause: error });
  throw error;
}

/** Starts all workers at once: loading what they need takes seconds. @throws when one of them cannot start; `stopAll` stops the others. */
async function startWorkers(config: Config, logger: Logger): Promise<void> {
  const { here, apart } = layoutOf(config);
  const starts = await Promise.allSettled([
    startWorkerProcesses(apart, logger, complain).catch(asStartError),
    ...(here === null ? [] : [startWorkerHere(here, logger)]),
  ]);
  const running = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  started.push(async () => {
    await Promise.all(running.map((workers) => workers.stop()));
  });
  for (const start of starts) if (start.status === 'rejected') throw start.reason;
}

async function startWorkerHere(config: Config, logger: Logger): Promise<RunningWorker> {
  const worker = await startWorker(config, logger);
  worker.ended.catch(onFault);
  return worker;
}

/** @throws StartError when another program listens where the API is to listen. */
async function needPort(config: Config): Promise<void> {
  if (config.PORT !== 0 && !(await isFree(config.PORT, config.HOST))) {
    throw new StartError(
      `port ${config.PORT} of ${config.HOST} is in use: stop what listens there, or start with another PORT (PORT=0 takes any)`,
    );
  }
}

/** @throws StartError when another `npm start` works on the same data. */
async function needDataDirectory(config: Config): Promise<void> {
  const folder = resolve(config.DROVER_DATA_DIR);
  const held = await tryHold(`data ${folder}`);
  if (held === null) {
    throw new StartError(
      `the data in ${folder} is in use by another npm start: stop that one, or start with another DROVER_DATA_DIR`,
    );
  }
  started.push(held.release);
}

async function stopAll(): Promise<void> {
  for (const stop of started.splice(0).reverse()) await stop();
}

function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A terminal signals every process of its group, and npm forwards its own: signals within this time count as one, in ms. */
const SAME_SIGNAL_MS = 500;

/** How often to check whether the npm process that started this one still runs, in ms. */
const ORPHAN_CHECK_MS = 1_000;

let stoppingSince: number | null = null;
let isReady = false;

function stopInOrder(): void {
  if (stoppingSince !== null && performance.now() - stoppingSince < SAME_SIGNAL_MS) return;
  // Parts that are only half started end with this process: see processes.ts.
  if (stoppingSince !== null || !isReady) process.exit(130);
  stoppingSince = performance.now();
  say('stopping (once more to stop at once)');
  stopAll().then(
    () => process.exit(process.exitCode ?? 0),
    (error: unknown) => {
      console.error(explain(error));
      process.exit(1);
    },
  );
}

/** Stops everything when the worker ends by itself, or after an uncaught error. */
function onFault(error: unknown): void {
  if (stoppingSince !== null) return;
  console.error(`drover stops: ${explain(error)}`);
  stoppingSince = performance.now();
  void stopAll().finally(() => process.exit(1));
}

/** A killed npm forwards no signal. */
function stopWithNpm(): void {
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    stopInOrder();
  }, ORPHAN_CHECK_MS);
  check.unref();
}

process.on('SIGINT', stopInOrder);
process.on('SIGTERM', stopInOrder);
if (process.env.npm_lifecycle_event) stopWithNpm();

try {
  await start();
  isReady = true;
} catch (error) {
  console.error(`drover cannot start: ${explain(error)}`);
  await stopAll();
  process.exit(1);
}
