import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { cpuMsOf } from '../../../testkit/measure.ts';
import type { Figure } from '../../figures/figures.ts';
import { RESULTS_FOLDER } from '../../installation/build.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import { commandsIn, hottestIn } from '../../profile/reading.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { uploadAtOnce } from '../write/upload-10x1000.ts';

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
  const processes = {
    worker: drover.worker,
    API: drover.api,
    MongoDB: bench.servers.mongo,
    Temporal: bench.servers.temporal,
    'this client': process,
  };
  const size = bench.size(1000);
  const used = (): number[] => Object.values(processes).map((each) => (each ? cpuMsOf(each) : 0));
  for (let n = 0; n < 3; n++) await uploadAtOnce(drover, await drover.newTenant(), BATCHES, size);
  return bench.inRounds(async () => {
    const tenant = await drover.newTenant();
    const before = used();
    const speed = await uploadAtOnce(drover, tenant, BATCHES, size);
    const figures = used().map(
      (after, n): Figure => ({
        name: `CPU of ${Object.keys(processes)[n]}`,
        unit: 'ms a batch',
        values: [(after - (before[n] ?? 0)) / BATCHES],
      }),
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
    let batches = 0;
    await bench.withInstallation(
      async (drover) => {
        for (let n = 0; n < 3 + bench.rounds; n++) {
          await uploadAtOnce(drover, await drover.newTenant(), BATCHES, bench.size(1000));
          batches += BATCHES;
        }
      },
      { nodeOptions, environment: { COMMAND_COUNTS: folder, MONGODB_URI: monitored(bench.servers.mongodbUri) } },
    );
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
      bench.say(`\n${file}\n${hottestIn(`${folder}/${file}`)}`);
    }
    return commandsIn(folder, batches);
  } finally {
    if (!process.env.KEEP_PROFILES) rmSync(folder, { recursive: true });
  }
}

const monitored = (uri: string): string => `${uri}${uri.includes('?') ? '&' : '/?'}monitorCommands=true`;
