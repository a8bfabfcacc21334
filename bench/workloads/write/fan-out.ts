import type { Figure } from '../../figures/figures.ts';
import { lineThrough } from '../../figures/least-squares.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { cpuOf, processesOf } from '../cost/cpu.ts';
import { uploadInFlight } from './upload-10x1000.ts';

const IN_FLIGHT = 10;

/** How many batches are measured by how many resources an activity has: what is slow gets fewer. */
const BATCHES: ReadonlyMap<number, number> = new Map([
  [1000, 20],
  [250, 20],
  [100, 20],
  [50, 10],
  [10, 10],
  [1, 2],
]);
const BATCHES_BY_DEFAULT = 20;

/** What fanning out costs: the same resources in ever more activities, and from that the cost of one activity. */
export const fanOut: Benchmark = {
  name: 'fan-out',
  about: `batches of 1000 new resources, ${IN_FLIGHT} in flight (2 of one resource an activity), by resources in an activity`,
  run: async (bench) => {
    const figures = await figuresOf(bench, null, BATCHES_BY_DEFAULT);
    for (const [size, batches] of BATCHES) figures.push(...(await figuresOf(bench, size, batches)));
    return [...figures, ...costOfOne(bench, figures)];
  },
};

const ALL = 'all';

/** @param size resources in an activity; null: as Drover chooses. */
function figuresOf(bench: Bench, size: number | null, batches: number): Promise<Figure[]> {
  const row = size === null ? 'by default' : `${size} an activity`;
  const environment: Record<string, string> = size === null ? {} : { RESOURCES_PER_ACTIVITY: String(size) };
  return bench.withInstallation(
    async (drover) => {
      await upload(bench, drover, Math.ceil(batches / 2));
      return bench.inRounds(async () => {
        const { result, used, total } = await cpuOf(processesOf(bench, drover), () => upload(bench, drover, batches));
        const thousands = (batches * bench.size(1000)) / 1000;
        const cpu = (name: string, ms: number): Figure => ({
          name: `${row}: CPU of ${name}`,
          unit: 'ms for 1000',
          values: [ms / thousands],
          table: { title: 'CPU, ms for 1000', row, column: name },
        });
        return [
          { name: row, unit: 'resources/s', values: [result] },
          cpu(ALL, total),
          ...[...used].map(([name, ms]) => cpu(name, ms)),
        ];
      });
    },
    { environment },
  );
}

async function upload(bench: Bench, drover: MeasuredInstallation, batches: number): Promise<number> {
  const width = Math.min(IN_FLIGHT, batches);
  return uploadInFlight(drover, await drover.newTenant(), { batches, width, size: bench.size(1000) });
}

/** Of each round, from the CPU times by the number of activities. */
function costOfOne(bench: Bench, figures: readonly Figure[]): Figure[] {
  const size = bench.size(1000);
  const activitiesFor1000 = (perActivity: number): number => (Math.ceil(size / perActivity) * 1000) / size;
  const processes = new Set(figures.flatMap(({ table }) => (table ? [table.column] : [])));
  return [...processes].map((name): Figure => {
    const measured = [...BATCHES.keys()].map((perActivity) => ({
      x: activitiesFor1000(perActivity),
      values: figures.find((figure) => figure.name === `${perActivity} an activity: CPU of ${name}`)?.values ?? [],
    }));
    const slopes = Array.from(
      { length: bench.rounds },
      (_, round) => lineThrough(measured.map(({ x, values }) => ({ x, y: values[round] ?? Number.NaN }))).slope,
    );
    return {
      name: `one activity beside its resources, CPU of ${name}`,
      unit: 'ms',
      values: slopes,
      note: 'least squares of relative errors',
      ...(name === ALL && { target: { atMost: 5 } }),
    };
  });
}
