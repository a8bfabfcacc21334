import { setTimeout as sleep } from 'node:timers/promises';
import { estimatedResources } from '../isolation/resources/resource-sizes.ts';
import { type Config, ConfigError, loadConfig } from '../process/config.ts';
import { convertTextResources } from '../store/migrations/text-resources.ts';
import { connectDatabase, type Database } from '../store/mongodb/database.ts';
import { FORMAT_KEPT_MS, writeDocuments } from '../store/resource-format.ts';

/** Time between two lines of progress, in ms. */
const LINE_EVERY_MS = 1_000;
/** Resources that stay text and are named. */
const MAX_NAMED = 20;

/**
 * Brings what earlier versions have stored into the form of this one. To be run once all API and worker processes are of this version,
 * beside them; can be interrupted and repeated at any time.
 * @param say receives one line for each second.
 */
async function migrate(config: Config, say: (line: string) => void): Promise<void> {
  if (config.MONGODB_URI === undefined) throw new ConfigError('MONGODB_URI must be set');
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE, { retryWrites: true });
  try {
    await writeDocuments(database);
    say('resources are written as documents from now on');
    // until then a process may write text behind the place that the conversion has reached
    await sleep(FORMAT_KEPT_MS);
    await convertAll(database, say);
  } finally {
    await database.close();
  }
}

async function convertAll(database: Database, say: (line: string) => void): Promise<void> {
  const total = await estimatedResources(database);
  const kept: string[] = [];
  let [checked, converted, keptCount] = [0, 0, 0];
  let nextLine = 0;
  for await (const step of convertTextResources(database)) {
    ({ checked, converted } = step);
    keptCount += step.kept.length;
    kept.push(...step.kept.slice(0, MAX_NAMED - kept.length));
    if (performance.now() < nextLine) continue;
    nextLine = performance.now() + LINE_EVERY_MS;
    say(`checked ${checked} of about ${total} resources, converted ${converted}`);
  }
  say(`done: checked ${checked} resources, converted ${converted}; ${keptCount} stay text`);
  for (const key of kept) say(`stays text, because no document can hold it: ${key}`);
}

/** `npm run migrate`. */
export async function main(): Promise<void> {
  try {
    await migrate(loadConfig(), (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`migration stopped: ${reason}; run it again, and it continues where it has stopped\n`);
    process.exitCode = 1;
  }
}
