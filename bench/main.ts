import { parseArgs } from 'node:util';
import { type Servers, startServers } from '../embedded/servers.ts';
import { loadConfig } from '../process/config.ts';
import { BENCHMARKS } from './benchmarks.ts';
import { describeMachine } from './figures/machine.ts';
import { writePlots } from './figures/plot.ts';
import { printSection, type Section, writeReport } from './figures/report.ts';
import { RESULTS_FOLDER } from './installation/build.ts';
import { describeMongodb } from './installation/databases.ts';
import { stopStarted } from './installation/started.ts';
import { earlierVersion, removeBuild, thisVersion, type Version } from './installation/version.ts';
import { type Contestants, measure, prepareContestants } from './run/contestants.ts';

const USAGE = `npm run bench [-- NAME…] [--rounds N] [--scale F] [--beside REF] [--network-ms MS] [--json FILE] [--plots FOLDER]
NAME: the beginning of one of ${BENCHMARKS.map(({ name }) => name).join(', ')}
--beside REF: an earlier version (branch, tag or commit) is measured too, round by round beside this one
--network-ms MS: the same with a network between Drover's processes and their servers, with this delay for a round trip`;

/**
 * `npm run bench`: measures Drover beside its peers, on servers in memory where no address is configured. Every figure is the median
 * of its rounds.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    beside: { type: 'string' },
    'network-ms': { type: 'string' },
    json: { type: 'string' },
    plots: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const scale = Number(options.scale);
const networkMs = options['network-ms'] === undefined ? null : Number(options['network-ms']);
const chosen = BENCHMARKS.filter(({ name, onlyByName }) =>
  positionals.length === 0 ? !onlyByName : positionals.some((wanted) => name.startsWith(wanted)),
);
if (chosen.length === 0 || !(rounds >= 1) || !(scale > 0) || (networkMs !== null && !(networkMs > 0))) {
  console.error(`usage: ${USAGE}`);
  process.exit(2);
}

/** Room for a million stored resources from the start, and little for young garbage: a pause of seconds counts as a lost server. */
const JAVA_OPTIONS = '-Xms6g -Xmx8g -Xmn300m';
process.env.JAVA_TOOL_OPTIONS ??= JAVA_OPTIONS;

const say = (line: string): void => console.log(line);
const startedAt = new Date().toISOString();
const machine = describeMachine();
const file = options.json ?? `${RESULTS_FOLDER}/${startedAt.replaceAll(':', '-')}.json`;
const started: { versions: Version[]; servers?: Servers; contestants?: Contestants } = { versions: [] };
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stop().finally(() => process.exit(130)));
try {
  await run();
} finally {
  await stop();
}

async function run(): Promise<void> {
  say(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Node ${machine.node}, load ${machine.load}`,
  );
  const own = thisVersion();
  started.versions.push(own);
  if (options.beside !== undefined) started.versions.push(earlierVersion(options.beside, say));
  const said: string[] = [];
  const sayOfServers = (line: string): void => {
    said.push(line);
    say(line);
  };
  const config = loadConfig();
  const servers = await startServers({ config, dataDir: null, say: sayOfServers });
  started.servers = servers;
  if (config.MONGODB_URI) sayOfServers(await describeMongodb(config.MONGODB_URI));
  const contestants = await prepareContestants([own, ...started.versions.slice(1)], servers, networkMs);
  started.contestants = contestants;
  const sections: Section[] = [];
  for (const benchmark of chosen) {
    const section = await measure(benchmark, contestants, { servers, build: own.build, rounds, scale, say });
    sections.push(section);
    printSection(section, say);
    writeReport(file, { startedAt, machine, servers: said, rounds, scale, sections });
  }
  for (const plot of await writePlots(sections, options.plots ?? `${RESULTS_FOLDER}/plots`)) say(`\ndrawn to ${plot}`);
  say(`\nwritten to ${file}`);
}

/** Safe to repeat. */
async function stop(): Promise<void> {
  const { contestants, servers, versions } = started;
  delete started.contestants;
  delete started.servers;
  await stopStarted();
  await contestants?.stop();
  await servers?.stop();
  for (const version of versions.splice(0)) removeBuild(version);
}
