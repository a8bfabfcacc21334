import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { type Config, ConfigError, loadConfig } from '../process/config.ts';
import { connectClient } from '../process/connections.ts';
import { startFailure } from '../services/failures.ts';
import { ensureRecovery, removeSweepSchedule } from '../services/temporal/recovery-workflow.ts';
import { createNamespace, missingSetup, registerSearchAttributes } from '../services/temporal/temporal-setup.ts';
import { connectDatabase } from '../store/mongodb/database.ts';
import { createIndexes, INDEXES } from '../store/mongodb/indexes.ts';

/** How long to wait for the servers, which may be starting, in ms. */
const PATIENCE_MS = 120_000;
const RETRY_MS = 1_000;
const CALL_TIMEOUT_MS = 10_000;
/** How long building an index on a large collection may take, in ms. */
const INDEX_TIMEOUT_MS = 3_600_000;

/**
 * Creates what Drover needs in configured servers, unless it exists: the namespace, the search attributes, the recovery
 * workflow, the indexes. Safe to repeat, and to run beside a running Drover.
 * @param say receives one line for each step.
 * @throws an error if a server cannot be reached in time, or the account lacks a permission.
 * @internal exported for tests, which set up a Temporal of theirs
 */
export async function setUp(config: Config, say: (line: string) => void, patienceMs = PATIENCE_MS): Promise<void> {
  await setUpTemporal(config, say, patienceMs);
  await setUpMongodb(config, say);
}

async function setUpTemporal(config: Config, say: (line: string) => void, patienceMs: number): Promise<void> {
  const client = connectClient(config);
  const until = Date.now() + patienceMs;
  const step = <T>(act: () => Promise<T>): Promise<T> =>
    untilReached(until, () => client.withDeadline(Date.now() + CALL_TIMEOUT_MS, act));
  try {
    const namespace = config.TEMPORAL_NAMESPACE;
    say(`namespace ${namespace}: ${(await step(() => createNamespace(client))) ? 'created' : 'there'}`);
    // it takes a moment until all servers know a new namespace or attribute
    const registered = await step(() => registerSearchAttributes(client));
    say(`search attributes: ${registered.length > 0 ? `registered ${registered.join(', ')}` : 'there'}`);
    const wrong = await step(async () => {
      const missing = await missingSetup(client);
      if (missing.some((what) => !what.includes('another type'))) throw new NotThereYet(missing.join('; '));
      return missing;
    });
    if (wrong.length > 0) throw new Error(`Temporal lacks ${wrong.join('; ')}`);
    await step(() => ensureRecovery(client, config.TEMPORAL_TASK_QUEUE));
    say(`recovery of task queue ${config.TEMPORAL_TASK_QUEUE}: runs`);
    const isRemoved = await step(() => removeSweepSchedule(client, config.TEMPORAL_TASK_QUEUE));
    if (isRemoved) say('the schedule of an earlier version: removed');
  } finally {
    await client.connection.close();
  }
}

/** Not all servers know yet what was created. */
class NotThereYet extends Error {}

async function untilReached<T>(until: number, act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const why = startFailure(error);
      // a server whose cache does not have the namespace yet answers this for some seconds
      const passes = error instanceof NotThereYet || why === 'unavailable' || why === 'busy' || why === 'not_set_up';
      if (!passes || Date.now() > until) throw error;
      await sleep(RETRY_MS);
    }
  }
}

async function setUpMongodb(config: Config, say: (line: string) => void): Promise<void> {
  if (config.MONGODB_URI === undefined) throw new ConfigError('MONGODB_URI must be set');
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE, {
    socketTimeoutMS: INDEX_TIMEOUT_MS,
  });
  try {
    const failed = await createIndexes(database, INDEXES, loggerOf(say));
    if (failed.length > 0)
      throw new Error(`indexes could not be created: ${failed.map(({ name }) => name).join(', ')}`);
    say(`indexes of database ${config.MONGODB_DATABASE}: ${INDEXES.length} there`);
  } finally {
    await database.close();
  }
}

/** Lines of a logger as lines of the setup. */
function loggerOf(say: (line: string) => void): Logger {
  return pino({ level: 'info', base: null, timestamp: false }, { write: (line: string) => say(line.trim()) });
}

/** `npm run setup`: once before the first start of an installation, and after each update. */
export async function main(): Promise<void> {
  try {
    await setUp(loadConfig(), (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
    process.stderr.write(`setup failed: ${reason}${cause}\n`);
    process.exitCode = 1;
  }
}
