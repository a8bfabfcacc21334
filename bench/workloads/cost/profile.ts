import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import type { Figure } from '../../figures/figures.ts';
import { RESULTS_FOLDER } from '../../installation/build.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import { commandsIn, hottestIn } from '../../profile/reading.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';
import { cpuOf, processesOf } from './cpu.ts';

const BATCHES = 10;

/** Where the time goes: CPU of each process, MongoDB commands, and the hottest functions of API and worker. */
export const profile: Benchmark = {
  name: 'profile',
  about: `cost of one batch of 1000 resources, from ${BATCHES} of them at once`,
  run: async (bench) => {
    const cpu = await bench.withInstallation((drover) => cpuOfBatches(bench, drover));
    return [...cpu, ...(await insideProcesses(bench))];
  },
};

/** CPU time by process, in ms a batch; two cores can give 2000 ms a second. */
async function cpuOfBatches(bench: Bench, drover: MeasuredInstallation): Promise<Figure[]> {
  const processes = { ...processesOf(bench, drover), 'this client': [process] };
  const size = bench.size(1000);
  for (let n = 0; n < 3; n++) await uploadAtOnce(drover, await drover.newTenant(), BATCHES, size);
  return bench.inRounds(async () => {
    const tenant = await drover.newTenant();
    const { result: speed, used } = await cpuOf(processes, () => uploadAtOnce(drover, tenant, BATCHES, size));
    const figures = [...used].map(
      ([name, ms]): Figure => ({ name: `CPU of ${name}`, unit: 'ms a batch', values: [ms / BATCHES] }),
    );
    return [...figures, { name: 'elapsed', unit: 'ms a batch', values: [(1000 * size) / speed] }];
  });
}

/** The same with counters and samplers inside the processes, which cost time themselves. */
async function insideProcesses(bench: Bench): Promise<Figure[]> {
  const folder = `${RESULTS_FOLDER}/profile-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  try {
    const nodeOptions = [
      '--import',
      `${bench.build}/bench/profile/count-commands.js`,
      '--cpu-prof',
      '--cpu-prof-dir',
      folder,
    ];
    const addresses = bench.contestant.network?.addresses ?? bench.servers;
    const monitored = { ...addresses, mongodbUri: withMonitoring(addresses.mongodbUri) };
    let batches = 0;
    await bench.withInstallation(
      async (drover) => {
        for (let n = 0; n < 3 + bench.rounds; n++) {
          await uploadAtOnce(drover, await drover.newTenant(), BATCHES, bench.size(1000));
          batches += BATCHES;
        }
      },
      { nodeOptions, environment: { COMMAND_COUNTS: folder }, servers: { api: monitored, worker: monitored } },
    );
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
      bench.say(`\n${file}\n${hottestIn(`${folder}/${file}`)}`);
    }
    return commandsIn(folder, batches);
  } finally {
    if (!process.env.KEEP_PROFILES) rmSync(folder, { recursive: true });
  }
}

const withMonitoring = (uri: string): string => `${uri}${uri.includes('?') ? '&' : '/?'}monitorCommands=true`;
