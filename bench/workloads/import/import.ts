import { setTimeout as sleep } from 'node:timers/promises';
import { residentMb } from '../../../testkit/measure.ts';
import { PLACE_DEFINITION } from '../../data/places.ts';
import { type Figure, ratio } from '../../figures/figures.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';
import { cpuOf, processesOf } from '../cost/cpu.ts';
import { importRows, importsAtOnce, resultsOf, rowsOfBatches, type SentRows, timeToFirst } from './sent-rows.ts';

const ROWS = 1_000_000;
/** Bytes of content that are sent to see what the API holds meanwhile, and bytes of one row of it. */
const CONTENT_BYTES = 1024 ** 3;
const ROW_BYTES = 16 * 1024;
const WARM_UP_ROWS = 10_000;
const IMPORTS_AT_ONCE = 100;
const FEWEST_AT_ONCE = 10;
/** At every scale: what an import costs beside its rows is to be seen. */
const ROWS_OF_ONE = 1_000;
const LOOK_EVERY_MS = 100;

/** Imports beside batches of the same rows, and what they hold meanwhile. `--scale 0.02` for a first impression. */
export const importFiles: Benchmark = {
  name: 'import',
  about: '1,000,000 places from one file, cities before their countries, beside batches of 1000; and 1 GB of content',
  onlyByName: true,
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      await drover.define(PLACE_DEFINITION);
      // both ways once, so that neither is the first to run
      const first = (tenant: string): SentRows => ({ drover, tenant, rows: Math.min(bench.size(ROWS), WARM_UP_ROWS) });
      await importRows(first('import-first'));
      await rowsOfBatches(first('batches-first'));
      const figures = await bench.inRounds((round) => rounds(bench, drover, round));
      const named = (name: string): Figure => figures.find((figure) => figure.name === name) as Figure;
      return [
        ...figures,
        ratio('import by batches', named('import'), named('batches of 1000, ten in flight'), {
          target: { atLeast: 0.8 },
        }),
      ];
    }),
};

async function rounds(bench: Bench, drover: MeasuredInstallation, round: number): Promise<readonly Figure[]> {
  const about = (name: string): SentRows => ({ drover, tenant: `${name}-${round}`, rows: bench.size(ROWS) });
  const processes = processesOf(bench, drover);
  /** CPU time that all processes need for a row: other work on the machine does not count. */
  const perRow = (name: string, ms: number, rows: number): Figure => ({
    name: `${name}: CPU`,
    unit: 'ms for 1000 rows',
    values: [(1000 * ms) / rows],
  });
  const held = watchMemory(drover);
  const { result: imported, total: ofImport } = await cpuOf(processes, () => importRows(about('import')));
  const most = await held();
  const { result: read, total: ofResults } = await cpuOf(processes, () =>
    resultsOf(about('import'), imported.importId),
  );
  if (read.rows !== bench.size(ROWS)) throw new Error(`${read.rows} of ${bench.size(ROWS)} rows have results`);
  const { result: batches, total: ofBatches } = await cpuOf(processes, () => rowsOfBatches(about('batches')));
  const count = Math.max(FEWEST_AT_ONCE, bench.size(IMPORTS_AT_ONCE));
  const many = `imports of ${ROWS_OF_ONE} rows at once`;
  const { result: atOnce, total: ofMany } = await cpuOf(processes, () =>
    importsAtOnce({ ...about('many'), rows: ROWS_OF_ONE }, count),
  );
  return [
    { name: 'import', unit: 'rows/s', values: [imported.perSecond] },
    perRow('import', ofImport, bench.size(ROWS)),
    { name: 'batches of 1000, ten in flight', unit: 'rows/s', values: [batches] },
    perRow('batches of 1000, ten in flight', ofBatches, bench.size(ROWS)),
    { name: 'its API more than before, at most', unit: 'MB', values: [most.api] },
    { name: 'its worker more than before, at most', unit: 'MB', values: [most.worker] },
    { name: 'results', unit: 'rows/s', values: [read.perSecond], target: { atLeast: 50_000 } },
    perRow('results', ofResults, bench.size(ROWS)),
    { name: many, unit: 'rows/s', values: [atOnce], note: `${count} of them` },
    perRow(many, ofMany, ROWS_OF_ONE * count),
    {
      name: 'first byte to first resource',
      unit: 'ms',
      values: [await timeToFirst(about('first'))],
      target: { atMost: 2_000 },
    },
    ...(await muchContent(bench, about('much'))),
  ];
}

/** Large rows, so that the content arrives faster than it is carried out. */
async function muchContent(bench: Bench, about: SentRows): Promise<readonly Figure[]> {
  const held = watchMemory(about.drover);
  const since = performance.now();
  const bytes = bench.size(CONTENT_BYTES);
  const imported = await importRows({
    ...about,
    rows: Math.max(1, Math.round(bytes / ROW_BYTES)),
    rowBytes: ROW_BYTES,
  });
  const most = await held();
  return [
    { name: 'much content: sent', unit: 'MB/s', values: [bytes / 1024 ** 2 / ((imported.acceptedAt - since) / 1000)] },
    { name: 'much content: API more than before, at most', unit: 'MB', values: [most.api], target: { atMost: 150 } },
    { name: 'much content: worker more than before, at most', unit: 'MB', values: [most.worker] },
  ];
}

/** Looks at the memory of API and worker from now on. @returns a function that ends that and tells the most, in MB more than now. */
function watchMemory({ api, worker }: MeasuredInstallation): () => Promise<{ api: number; worker: number }> {
  const before = { api: residentMb(api), worker: residentMb(worker) };
  const most = { ...before };
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      most.api = Math.max(most.api, residentMb(api));
      most.worker = Math.max(most.worker, residentMb(worker));
      await sleep(LOOK_EVERY_MS);
    }
  })();
  return async () => {
    over.abort();
    await watching;
    return { api: most.api - before.api, worker: most.worker - before.worker };
  };
}
