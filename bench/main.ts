import { parseArgs } from 'node:util';
import { startServers } from '../embedded/servers.ts';
import { loadConfig } from '../process/config.ts';
import { Bench, type Benchmark, Skipped } from './bench.ts';
import { BENCHMARKS } from './benchmarks.ts';
import { buildForBench, RESULTS_FOLDER, removeBuild } from './build.ts';
import { writePlots } from './growth/plot.ts';
import { describeMachine } from './machine.ts';
import { printSection, type Section, writeReport } from './report.ts';

/**
 * `npm run bench [-- NAME…] [--rounds N] [--scale F] [--json FILE] [--plots FOLDER]`: measures Drover beside its
 * peers, on servers in memory where no address is configured. Every figure is the median of its rounds.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    json: { type: 'string' },
    plots: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const scale = Number(options.scale);
const chosen = BENCHMARKS.filter(({ name, onlyByName }) =>
  positionals.length === 0 ? !onlyByName : positionals.some((wanted) => name.startsWith(wanted)),
);
if (chosen.length === 0 || !(rounds >= 1) || !(scale > 0)) {
  console.error(
    `usage: npm run bench [-- NAME…] [--rounds N] [--scale F] [--json FILE] [--plots FOLDER]\nNAME: ${BENCHMARKS.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}

/** Room for a million stored resources from the start, and little for young garbage: a pause of seconds counts as a lost server. */
const JAVA_OPTIONS = '-Xms6g -Xmx8g -Xmn300m';
process.env.JAVA_TOOL_OPTIONS ??= JAVA_OPTIONS;

const say = (line: string): void => console.log(line);
const startedAt = new Date().toISOString();
const machine = describeMachine();
const told: string[] = [];
const sections: Section[] = [];
say(
  `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Node ${machine.node}, load ${machine.load}`,
);
const build = buildForBench();
const servers = await startServers({
  config: loadConfig(),
  dataDir: null,
  say: (line) => {
    told.push(line);
    say(line);
  },
});

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await servers.stop();
  removeBuild(build);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stop().then(() => process.exit(130)));

const file = options.json ?? `${RESULTS_FOLDER}/${startedAt.replaceAll(':', '-')}.json`;
try {
  const bench = new Bench({ servers, build, rounds, scale, say });
  for (const benchmark of chosen) {
    const section = await measure(bench, benchmark);
    sections.push(section);
    printSection(section, say);
    writeReport(file, { startedAt, machine, servers: told, rounds, scale, sections });
  }
  for (const plot of await writePlots(sections, options.plots ?? `${RESULTS_FOLDER}/plots`)) say(`\ndrawn to ${plot}`);
  say(`\nwritten to ${file}`);
} finally {
  await stop();
}

async function measure(bench: Bench, { name, about, run }: Benchmark): Promise<Section> {
  try {
    return { name, about, figures: await run(bench) };
  } catch (error) {
    if (error instanceof Skipped) return { name, about, figures: [], skipped: error.message };
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { name, about, figures: [], skipped: `failed: ${error instanceof Error ? error.message : error}` };
  }
}
