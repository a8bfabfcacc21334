import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { customers } from '../../data/customers.ts';
import type { Figure } from '../../figures/figures.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Version } from '../../installation/version.ts';
import { type Bench, type Benchmark, Skipped } from '../../run/bench.ts';
import { type Asked, CountingProxy } from './counting-proxy.ts';
import { commandsInARow } from './in-a-row.ts';
import { type Index, indexEntriesWritten } from './index-entries.ts';
import { oplogBytes } from './oplog.ts';

/** Resources in an activity; null: as Drover chooses. */
const FAN_OUTS = [null, 100] as const;
/** So long after the last command a batch counts as over, in ms. */
const QUIET_MS = 300;

/** What a batch of 1000 asks of MongoDB: figures that do not depend on the machine. */
export const server: Benchmark = {
  name: 'server',
  about: 'what one batch of 1000 asks of MongoDB, by command and collection, counted by a proxy before it',
  run: async (bench) => {
    if (bench.contestant.network !== null) throw new Skipped('what is asked does not depend on the network');
    const figures: Figure[] = [];
    for (const perActivity of FAN_OUTS) figures.push(...(await figuresOf(bench, perActivity)));
    return figures;
  },
};

interface Batch {
  readonly name: string;
  /** @param last the batch before. */
  start(drover: MeasuredInstallation, tenant: string, size: number, last: string): Promise<string>;
}

const BATCHES: readonly Batch[] = [
  { name: 'new', start: (drover, tenant, size) => drover.upload(customers(0, size), tenant) },
  { name: 'changed', start: (drover, tenant, size) => drover.upload(customers(0, size, 1), tenant) },
  {
    name: 'patched',
    start: (drover, tenant, size) => {
      const resources = customers(0, size).map(({ id }) => ({ id, name: `Patched ${id}` }));
      return drover.start('PATCH', 'customer', JSON.stringify({ resources }), tenant);
    },
  },
  {
    name: 'deleted',
    start: (drover, tenant, size) => {
      const externalIds = customers(0, size).map(({ id }) => id);
      return drover.start('DELETE', 'customer', JSON.stringify({ externalIds }), tenant);
    },
  },
];

const UNDOABLE = '?undoable=true';

async function undo(drover: MeasuredInstallation, tenant: string, last: string): Promise<string> {
  const data = await drover.send('POST', `/api/batches/${last}/undo`, undefined, tenant);
  return (data as { batchId: string }).batchId;
}

/** The same batches if they can be undone, beside those above, which cannot: what keeping the states before costs, and an undo. */
const UNDOABLE_BATCHES: readonly Batch[] = [
  {
    name: 'new, undoable',
    start: (drover, tenant, size) => drover.upload(customers(0, size), tenant, UNDOABLE),
  },
  {
    name: 'changed, undoable',
    start: (drover, tenant, size) => drover.upload(customers(0, size, 1), tenant, UNDOABLE),
  },
  { name: 'changed, undone', start: (drover, tenant, _, last) => undo(drover, tenant, last) },
  {
    name: 'deleted, undoable',
    start: (drover, tenant, size) => {
      const externalIds = customers(0, size).map(({ id }) => id);
      return drover.start('DELETE', 'customer', JSON.stringify({ externalIds }), tenant, UNDOABLE);
    },
  },
  { name: 'deleted, undone', start: (drover, tenant, _, last) => undo(drover, tenant, last) },
];

/** An earlier version may know no undo. */
const batchesOf = ({ build }: Version): readonly Batch[] =>
  existsSync(join(build, 'services/undo/undo-batch.js')) ? [...BATCHES, ...UNDOABLE_BATCHES] : BATCHES;

async function figuresOf(bench: Bench, perActivity: number | null): Promise<Figure[]> {
  const proxy = new CountingProxy(bench.servers.mongodbUri);
  const { temporalAddress } = bench.servers;
  const indexes = await indexesOf(bench.contestant.version);
  const batches = batchesOf(bench.contestant.version);
  const rounds = new Map<string, Sums[]>(batches.map(({ name }) => [name, []]));
  try {
    const servers = {
      api: { mongodbUri: await proxy.uriFor('API'), temporalAddress },
      worker: { mongodbUri: await proxy.uriFor('worker'), temporalAddress },
    };
    const environment: Record<string, string> =
      perActivity === null ? {} : { RESOURCES_PER_ACTIVITY: String(perActivity) };
    await bench.withInstallation(
      async (drover) => {
        const inTurn = async (tenant: string, note: (name: string, asked: readonly Asked[]) => void): Promise<void> => {
          let last = '';
          for (const batch of batches) {
            const asked = await askedBy(proxy, drover, async () => {
              last = await batch.start(drover, tenant, bench.size(1000), last);
              return last;
            });
            note(batch.name, asked);
          }
        };
        await inTurn(await drover.newTenant(), () => undefined);
        await bench.inRounds(async () => {
          await inTurn(await drover.newTenant(), (name, asked) => rounds.get(name)?.push(sumsOf(asked, indexes)));
          return [];
        });
      },
      { servers, environment },
    );
  } finally {
    await proxy.stop();
  }
  const fanOut = perActivity === null ? 'default' : `${perActivity} an activity`;
  return [...rounds].flatMap(([name, of]) => toFigures(`${bench.size(1000)} ${name}, ${fanOut}`, of));
}

/** By the code of that version. */
async function indexesOf({ build }: Version): Promise<readonly Index[]> {
  const file = pathToFileURL(join(build, 'store/mongodb/indexes.js')).href;
  return ((await import(file)) as { INDEXES: readonly Index[] }).INDEXES;
}

/** All that is asked from the start of a batch until nothing more is. */
async function askedBy(
  proxy: CountingProxy,
  drover: MeasuredInstallation,
  start: () => Promise<string>,
): Promise<readonly Asked[]> {
  proxy.take();
  await drover.ended([await start()]);
  while (performance.now() - proxy.lastAt < QUIET_MS) await sleep(QUIET_MS / 4);
  return proxy.take();
}

/**
 * What is counted, with its unit. Bytes are those on the wire. Index entries are new ones and removed ones, of the declared indexes and of
 * ids. The oplog is estimated (`oplog.ts`). In a row is an upper bound: the most commands of which none overlaps another.
 */
const COUNTS = {
  commands: 'commands',
  sent: 'kB',
  received: 'kB',
  inserted: 'documents',
  updated: 'documents',
  deleted: 'documents',
  'index entries': 'entries',
  oplog: 'kB',
} as const;
type Counts = Record<keyof typeof COUNTS, number>;

const ALL = 'a batch in all';

/** By row: `worker: insert resources`. */
interface Sums {
  readonly rows: ReadonlyMap<string, Counts>;
  readonly inARow: ReadonlyMap<string, number>;
}

const none = (): Counts => ({
  commands: 0,
  sent: 0,
  received: 0,
  inserted: 0,
  updated: 0,
  deleted: 0,
  'index entries': 0,
  oplog: 0,
});

function sumsOf(asked: readonly Asked[], indexes: readonly Index[]): Sums {
  const rows = new Map<string, Counts>();
  for (const one of asked) {
    const row = `${one.process}: ${one.command} ${one.collection}`;
    rows.set(row, sum(rows.get(row) ?? none(), countsOf(one, indexes)));
  }
  const processes = new Set(asked.map(({ process }) => process));
  const inARow = [...processes].map((name): [string, number] => [
    name,
    commandsInARow(asked.filter(({ process }) => process === name)),
  ]);
  return { rows, inARow: new Map(inARow) };
}

function countsOf({ collection, changes, sentBytes, receivedBytes }: Asked, indexes: readonly Index[]): Counts {
  const counts = { ...none(), commands: 1, sent: sentBytes / 1000, received: receivedBytes / 1000 };
  for (const { before, after } of changes) {
    if (before === null) counts.inserted += 1;
    else if (after === null) counts.deleted += 1;
    else counts.updated += 1;
    counts['index entries'] += indexEntriesWritten(indexes, collection, before, after);
    counts.oplog += oplogBytes(`drover.${collection}`, before, after) / 1000;
  }
  return counts;
}

const names = Object.keys(COUNTS) as (keyof typeof COUNTS)[];

const sum = (one: Counts, other: Counts): Counts =>
  Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Counts;

function toFigures(title: string, rounds: readonly Sums[]): Figure[] {
  const rows = [...new Set(rounds.flatMap((round) => [...round.rows.keys()]))].sort();
  const cells = rows.flatMap((row) =>
    names.map((column) => ({
      name: `${title}: ${row}: ${column}`,
      unit: COUNTS[column],
      values: rounds.map((round) => round.rows.get(row)?.[column] ?? 0),
      table: { title, row, column, isDetail: true as const },
    })),
  );
  // what most rounds do not have is not the batch's: recovery, or a heartbeat
  const counted = cells.filter(({ table: { row } }) => isOfMost(rounds, row));
  const totals = names.map((column): Figure => {
    const of = counted.filter(({ table }) => table.column === column);
    const values = rounds.map((_, round) => of.reduce((total, { values: some }) => total + (some[round] ?? 0), 0));
    return { name: `${title}: ${column}`, unit: COUNTS[column], values, table: { title: ALL, row: title, column } };
  });
  const inARow = ['API', 'worker'].map((process) => ({
    name: `${title}: in a row, ${process}`,
    unit: 'round trips',
    values: rounds.map((round) => round.inARow.get(process) ?? 0),
    table: { title: ALL, row: title, column: `in a row, ${process}` },
  }));
  return [...totals, ...inARow, ...counted];
}

const isOfMost = (rounds: readonly Sums[], row: string): boolean =>
  rounds.filter((round) => round.rows.has(row)).length > rounds.length / 2;
