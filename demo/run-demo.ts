import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch, DroverClient } from '@drover/client';
import { SingleBar } from 'cli-progress';
import { CITY_SCHEMA, COUNTRY_SCHEMA, cities, citiesAsCsv, correctedCountries, countries } from './data.ts';

const BATCH_SIZE = 1000;
/** Seconds that cities wait for their country. */
const WAIT_SECONDS = 3600;
/** Batches that run at a time. */
const IN_FLIGHT = 8;

/** Has nothing of what was uploaded before. */
const TENANT_OF_IMPORT = 'csv';
/** Rejected rows that are printed, with their header. */
const REJECTED_SHOWN = 20;

interface Total {
  accepted: number;
  succeeded: number;
  pending: number;
  failed: number;
  readonly codes: Record<string, number>;
}

/** Uploads cities before countries: all cities wait, then they are applied, and the faults of the data are shown. Then imports them from a file. */
export async function runDemo(client: DroverClient, say: (line: string) => void): Promise<void> {
  await client.schemaDefinitions.create(COUNTRY_SCHEMA);
  await client.schemaDefinitions.create(CITY_SCHEMA);
  const started = performance.now();
  const all = cities();
  say(`\n1. ${all.length} cities, before any country: each waits for its country`);
  const cityBatches = await uploadCities(client, all);
  const waiting = await totalOf(client, cityBatches);
  say(`   ${waiting.pending} wait, ${waiting.failed} failed at once${codes(waiting)}`);

  say('\n2. 250 countries, in one batch; their borders refer to each other, in cycles');
  const { batchId: countryBatch } = await client.resources.upload('country', countries());
  await watchPending(client, cityBatches, waiting.pending);
  await report(client, countryBatch, say);
  const released = await totalOf(client, cityBatches);
  say(`   ${released.succeeded} cities were applied; ${released.pending} still wait for the countries that failed`);

  say('\n3. The six countries with faults in the data, corrected by hand');
  const { batchId: correctedBatch } = await client.resources.upload('country', correctedCountries());
  await report(client, correctedBatch, say);
  for (const id of cityBatches) await client.batches.wait(id);

  const total = await totalOf(client, [countryBatch, ...cityBatches]);
  const seconds = (performance.now() - started) / 1000;
  say('\n4. In all');
  say(`   accepted   ${total.accepted}`);
  say(`   succeeded  ${total.succeeded}`);
  say(`   failed     ${total.failed}${codes(total)}`);
  say(`   time       ${seconds.toFixed(1)} s, ${Math.round(total.accepted / seconds)} resources/s, waiting included`);
  await showFaults(client, cityBatches, say);
  await importCities(client.forTenant(TENANT_OF_IMPORT), say);
}

/** All cities from one file of CSV, for a tenant of its own; the rows that are rejected come back as CSV. */
async function importCities(client: DroverClient, say: (line: string) => void): Promise<void> {
  const file = citiesAsCsv();
  say(
    `\n6. All cities once more, from one CSV file of ${(file.size / 1024 ** 2).toFixed(1)} MB, for a tenant that has 244 of the countries`,
  );
  await client.batches.wait((await client.resources.upload('country', countries())).batchId);
  const started = performance.now();
  const importId = await client.import(file, { schema: 'city', format: 'csv', label: 'demo' });
  const bar = newBar('   {bar} {value}/{total} rows done');
  bar.start(cities().length, 0);
  const { counts, status, batches, errors } = await client.imports.wait(importId, {
    onChange: ({ progress }) => bar.update(progress.processedRecords),
  });
  bar.stop();
  const seconds = (performance.now() - started) / 1000;
  const rows = counts.succeeded + counts.failed;
  say(`   import ${importId}: ${status}, ${batches.total} batches, ${Math.round(rows / seconds)} rows/s`);
  say(
    `   ${counts.succeeded} rows succeeded, ${counts.failed} failed (${JSON.stringify(errors?.summary ?? {})}); the rejected ones as CSV:`,
  );
  const rejected = await new Response(await client.imports.results(importId, { status: 'failed' })).text();
  for (const line of rejected.trimEnd().split('\n').slice(0, REJECTED_SHOWN)) say(`     ${line}`);
}

async function uploadCities(client: DroverClient, all: readonly object[]): Promise<string[]> {
  const bar = newBar('   {bar} {value}/{total} cities applied or waiting');
  bar.start(all.length, 0);
  const ids: string[] = [];
  const batches = Array.from({ length: Math.ceil(all.length / BATCH_SIZE) }, (_, n) =>
    all.slice(n * BATCH_SIZE, (n + 1) * BATCH_SIZE),
  );
  const uploadNext = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const { batchId } = await client.resources.upload('city', batch, { dependencyWaitTimeout: WAIT_SECONDS });
      ids.push(batchId);
      await client.batches.wait(batchId, { until: isPlanned });
      bar.increment(batch.length);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, uploadNext));
  bar.stop();
  return ids;
}

/** Shows the falling number of pending items, until it no longer changes for a while. */
async function watchPending(client: DroverClient, ids: readonly string[], before: number): Promise<void> {
  const bar = newBar('   {bar} {value} of {total} waiting cities applied');
  bar.start(before, 0);
  let last = before;
  for (let still = 0; still < 5; ) {
    const { pending } = await totalOf(client, ids);
    bar.update(before - pending);
    still = pending === last ? still + 1 : 0;
    last = pending;
    if (pending === 0) break;
    await sleep(1000);
  }
  bar.stop();
}

async function report(client: DroverClient, id: string, say: (line: string) => void): Promise<void> {
  const { counts, status, errors } = await client.batches.wait(id);
  say(`   batch ${id}: ${status}, ${counts.succeeded} succeeded, ${counts.failed} failed`);
  for (const [index, message] of Object.entries(errors?.details ?? {})) say(`     item ${index}: ${message}`);
}

async function showFaults(client: DroverClient, ids: readonly string[], say: (line: string) => void): Promise<void> {
  say('\n5. Some faults that the service reports in the data');
  let shown = 0;
  for (const id of ids) {
    const { errors } = await client.batches.get(id);
    for (const [index, message] of Object.entries(errors?.details ?? {})) {
      if (shown++ < 5) say(`   batch ${id}, item ${index}: ${message}`);
    }
  }
}

async function totalOf(client: DroverClient, ids: readonly string[]): Promise<Total> {
  const total: Total = { accepted: 0, succeeded: 0, pending: 0, failed: 0, codes: {} };
  for (const { counts, progress, errors } of await Promise.all(ids.map((id) => client.batches.get(id)))) {
    total.accepted += progress.totalRecords;
    total.succeeded += progress.successfulRecords;
    total.pending += progress.pendingRecords;
    total.failed += counts.failed + counts.expired + counts.cancelled;
    for (const [code, n] of Object.entries(errors?.summary ?? {})) total.codes[code] = (total.codes[code] ?? 0) + n;
  }
  return total;
}

/** Each item has an outcome, or waits. */
const isPlanned = ({ counts }: Batch): boolean => counts.queued === 0;
const newBar = (format: string): SingleBar =>
  new SingleBar({ format, barsize: 30, noTTYOutput: true, notTTYSchedule: 5000 });
const codes = ({ codes: found }: Total): string => {
  const entries = Object.entries(found);
  return entries.length === 0 ? '' : ` (${entries.map(([code, n]) => `${n} ${code}`).join(', ')})`;
};
