import { parseArgs } from 'node:util';
import { GUARD_NAMES, type GuardName } from './faults/guards.ts';
import { runWithout } from './faults/without.ts';
import { describe } from './report.ts';
import { type ChaosOptions, runChaos } from './run.ts';

/**
 * `npm run chaos -- --seed N --minutes M`: the usual load of a Drover under faults, and the proof that its invariants hold.
 * `--without GUARD` removes one guard, to show that the checker finds its absence. See docs/testing.md.
 */

const USAGE = `npm run chaos -- [--seed N] [--minutes M | --seconds S] [--without ${GUARD_NAMES.join('|')}] [--keep]`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 100_000) },
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      without: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const loadSeconds = values.seconds !== undefined ? Number(values.seconds) : Number(values.minutes ?? 1) * 60;
  if (!(loadSeconds > 0)) throw new Error(USAGE);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)));
  const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
  const options: ChaosOptions = {
    seed: values.seed,
    loadSeconds,
    say,
    keep: values.keep ? 'always' : 'violations',
    signal: stop.signal,
  };
  if (values.without === undefined) {
    const { report } = await runChaos(options);
    console.log(describe(report, `npm run chaos -- --seed ${values.seed} --seconds ${loadSeconds}`));
    return report.violations.length === 0 ? 0 : 1;
  }
  const guard = GUARD_NAMES.find((name) => name === values.without);
  if (guard === undefined) throw new Error(USAGE);
  return without(guard, options);
}

/** Succeeds if the checker finds the absence of the guard. */
async function without(name: GuardName, options: ChaosOptions): Promise<number> {
  const { report, isCaught } = await runWithout(name, options);
  console.log(
    describe(report, `npm run chaos -- --seed ${options.seed} --seconds ${options.loadSeconds} --without ${name}`),
  );
  console.log(isCaught ? `caught: ${name} is missing` : `NOT CAUGHT: ${name} is missing, and no violation shows it`);
  return isCaught ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
