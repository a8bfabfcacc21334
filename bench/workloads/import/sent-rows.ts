import { setTimeout as sleep } from 'node:timers/promises';
import { type BatchDocument, readBatches } from '../../../store/batches/batches.ts';
import { type ImportDocument, readImport } from '../../../store/imports/imports.ts';
import { places } from '../../data/places.ts';
import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';

/** Rows that are sent for a tenant that has nothing yet. */
export interface SentRows {
  readonly drover: MeasuredInstallation;
  readonly tenant: string;
  readonly rows: number;
  /** Each row has so many bytes, at least. */
  readonly rowBytes?: number;
}

/** Rows that are sent at a time. */
const PIECE_ROWS = 500;
const BATCH_ROWS = 1_000;
const IN_FLIGHT = 10;
const POLL_MS = 50;
const WAIT_SECONDS = 86_400;
const NEWLINE = 0x0a;

interface Imported {
  readonly importId: string;
  readonly perSecond: number;
  /** When it was accepted, by the clock of `performance`. */
  readonly acceptedAt: number;
}

/** Sends rows as one import, and waits for its end. */
export async function importRows(sent: SentRows): Promise<Imported> {
  const { drover, tenant, rows } = sent;
  const since = Date.now();
  const response = await drover.sendContent('/api/imports?schema=place', streamOf(sent), tenant);
  const acceptedAt = performance.now();
  const { importId } = response as { importId: string };
  const { completedAt, result } = await ended(drover, importId);
  if (result?.counts.succeeded !== rows) throw new Error(`${result?.counts.succeeded} of ${rows} rows succeeded`);
  return { importId, acceptedAt, perSecond: (rows * 1000) / ((completedAt?.getTime() ?? Number.NaN) - since) };
}

/** Waits in the store, so that waiting costs the measured processes nothing. */
async function ended({ database }: MeasuredInstallation, importId: string): Promise<ImportDocument> {
  for (;;) {
    const imported = await readImport(database, importId);
    if (imported?.completedAt !== undefined) return imported;
    await sleep(POLL_MS);
  }
}

/** The same rows in batches of 1000, as a client sends them with ten in flight: one that only waits is not. @returns rows/s. */
export async function rowsOfBatches({ drover, tenant, rows }: SentRows): Promise<number> {
  const since = Date.now();
  const running = new Set<string>();
  const ids: string[] = [];
  const source = places(tenant, rows);
  for (let isOver = false; !isOver; ) {
    while (running.size < IN_FLIGHT) {
      const resources = take(source, BATCH_ROWS);
      isOver = resources.length === 0;
      if (isOver) break;
      const query = `?dependencyWaitTimeout=${WAIT_SECONDS}`;
      const id = await drover.start('POST', 'place', JSON.stringify({ resources }), tenant, query);
      running.add(id);
      ids.push(id);
    }
    await sleep(POLL_MS);
    for (const { _id, status } of await readBatches(drover.database, [...running]))
      if (status === 'waiting' || status === 'success') running.delete(_id);
  }
  const ended: BatchDocument[] = await drover.ended(ids);
  return rows / secondsUntilEnd(since, ended);
}

/** Many imports at once. @returns rows/s of all together. */
export async function importsAtOnce(sent: SentRows, count: number): Promise<number> {
  const since = performance.now();
  await Promise.all(Array.from({ length: count }, (_, n) => importRows({ ...sent, tenant: `${sent.tenant}-${n}` })));
  return (sent.rows * count * 1000) / (performance.now() - since);
}

/** Rows that arrive slowly. @returns time from the first byte to the moment at which the first resource is read, in ms. */
export async function timeToFirst({ drover, tenant }: SentRows): Promise<number> {
  const [row] = take(places(tenant, 1), 1) as { id: string }[];
  const isThere = new AbortController();
  const since = performance.now();
  const sending = drover.sendContent('/api/imports?schema=place', trickle(row ?? {}, isThere.signal), tenant);
  while (!(await drover.isThere('place', row?.id ?? '', tenant))) await sleep(POLL_MS / 5);
  const ms = performance.now() - since;
  isThere.abort();
  await sending;
  return ms;
}

/** Reads the results of an import as they are streamed. */
export async function resultsOf(
  { drover, tenant }: SentRows,
  importId: string,
): Promise<{ readonly rows: number; readonly perSecond: number }> {
  const since = performance.now();
  let rows = 0;
  for await (const chunk of await drover.clientOf(tenant).imports.results(importId))
    for (const byte of chunk) if (byte === NEWLINE) rows += 1;
  return { rows, perSecond: (rows * 1000) / (performance.now() - since) };
}

function streamOf({ tenant, rows, rowBytes = 0 }: SentRows): ReadableStream<Uint8Array> {
  const source = places(tenant, rows);
  return new ReadableStream({
    pull(controller) {
      const some = take(source, PIECE_ROWS);
      if (some.length === 0) controller.close();
      else controller.enqueue(Buffer.from(some.map((row) => `${lineOf(row, rowBytes)}\n`).join('')));
    },
  });
}

function lineOf(row: object, bytes: number): string {
  const text = JSON.stringify(row);
  return text.length >= bytes ? text : JSON.stringify({ ...row, region: 'x'.repeat(bytes - text.length) });
}

/** Faster than a body has to arrive at least. */
const BLANK_LINE = Buffer.from(`${' '.repeat(1023)}\n`);

/** One row, and blank lines until `over`. */
function trickle(row: object, over: AbortSignal): ReadableStream<Uint8Array> {
  let isFirst = true;
  return new ReadableStream({
    async pull(controller) {
      if (!isFirst) await sleep(POLL_MS);
      controller.enqueue(isFirst ? Buffer.from(`${JSON.stringify(row)}\n`) : BLANK_LINE);
      isFirst = false;
      if (over.aborted) controller.close();
    },
  });
}

function take(source: Iterator<object, void>, count: number): object[] {
  const taken: object[] = [];
  while (taken.length < count) {
    const { value, done } = source.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}
