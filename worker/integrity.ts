import { parseArgs } from 'node:util';
import { type Config, ConfigError, loadConfig } from '../process/config.ts';
import { connectClient } from '../process/connections.ts';
import { checkIntegrity, type Fault, faultLine, type IntegrityOptions } from '../services/integrity/check-integrity.ts';
import { connectDatabase } from '../store/mongodb/database.ts';

/** Exit codes: nothing is wrong (any more), something is, the check could not be made. */
const EXIT = { well: 0, faults: 1, failed: 2 } as const;

/** Longer than recovery takes to come by, in ms, and so many times as long as an activity may take. */
const SETTLE_MS = 180_000;
const SETTLE_BY_TIMEOUT = 5;
/** Longest command of a check, in ms: it reads large pages while others are at work. */
const COMMAND_MS = 60_000;
/** Timeout of a call to Temporal, in ms. */
const CALL_MS = 10_000;

interface Request extends IntegrityOptions {
  /** Whether faults are written as JSON, one a line. */
  readonly isJson: boolean;
}

const USAGE = 'npm run integrity [-- --repair] [--json] [--settle SECONDS]';

function requested(given: readonly string[], { ACTIVITY_TIMEOUT_SECONDS }: Config): Request {
  const { values } = parseArgs({
    args: [...given],
    options: { repair: { type: 'boolean' }, json: { type: 'boolean' }, settle: { type: 'string' } },
  });
  const usual = Math.max(SETTLE_MS, SETTLE_BY_TIMEOUT * 1000 * ACTIVITY_TIMEOUT_SECONDS);
  const settleMs = values.settle === undefined ? usual : Number(values.settle) * 1000;
  if (!(settleMs >= 0)) throw new TypeError('--settle takes a number of seconds');
  return { settleMs, repair: values.repair === true, isJson: values.json === true };
}

/** Where lines go: faults, and how far the check is. */
interface IntegrityOutput {
  fault(line: string): void;
  progress(line: string): void;
}

/**
 * Checks everything that is stored, beside running batches, and writes a line for each fault.
 * @param given the arguments of the command.
 * @returns the exit code.
 * @internal exported for tests, which read what it writes
 */
export async function integrity(config: Config, given: readonly string[], output: IntegrityOutput): Promise<number> {
  const { isJson, ...options } = requested(given, config);
  if (config.MONGODB_URI === undefined) throw new ConfigError('MONGODB_URI must be set');
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE, { socketTimeoutMS: COMMAND_MS });
  const client = connectClient(config, CALL_MS);
  const faults = new Map<string, number>();
  let left = 0;
  try {
    const parts = { database, client, taskQueue: config.TEMPORAL_TASK_QUEUE };
    for await (const step of checkIntegrity(parts, options)) {
      if ('checked' in step) {
        output.progress(`read ${step.checked}`);
        continue;
      }
      output.fault(isJson ? jsonLine(step) : faultLine(step));
      faults.set(step.kind, (faults.get(step.kind) ?? 0) + 1);
      if (!step.isRepaired) left += 1;
    }
  } finally {
    await client.connection.close();
    await database.close();
  }
  const counts = [...faults].map(([kind, count]) => `${count} ${kind}`).join(', ');
  output.progress(faults.size === 0 ? 'nothing is wrong' : `${counts}; ${left} of them are left`);
  return left === 0 ? EXIT.well : EXIT.faults;
}

/** JSON leaves some control characters as they are. */
const jsonLine = (fault: Fault): string =>
  JSON.stringify(shown(fault)).replace(
    /[\u007f-\u009f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const shown = ({ kind, collection, id, detail, isRepairable, isRepaired }: Fault) => ({
  kind,
  collection,
  id,
  detail,
  isRepairable,
  isRepaired,
});

/** `npm run integrity`. */
export async function main(): Promise<void> {
  try {
    process.exitCode = await integrity(loadConfig(), process.argv.slice(2), {
      fault: (line) => process.stdout.write(`${line}\n`),
      progress: (line) => process.stderr.write(`${line}\n`),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`the check was not finished: ${reason}\nusage: ${USAGE}\n`);
    process.exitCode = EXIT.failed;
  }
}
