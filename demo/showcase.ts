import type { DroverClient, NewSchemaDefinition } from '@drover/client';
import { CITY_SCHEMA, COUNTRY_SCHEMA, cities, countries } from './data.ts';

/** Batches and imports of which the dashboard shows pictures. */
export interface Shown {
  /** A batch of cities, some of whose countries are missing. */
  readonly waiting: string;
  /** A batch with faults of several codes. */
  readonly faulty: string;
  readonly imported: string;
  /** Several batches were cancelled by it. */
  readonly bulk: string;
  readonly webhook: string;
}

const HOUR_S = 3_600;
/** Countries that stay missing. */
const MISSING = new Set(['AR', 'AM', 'AU', 'AT', 'AZ', 'BA', 'BD', 'BE', 'BF', 'BJ']);
const BATCH = 600;
const ROWS = 30_000;

const reference = (name: string) => ({ $ref: `reach:schemas/${name}` });
const text = { type: 'string' };

/** Definitions beside those of the demo, so that there is a graph. */
const OTHERS: readonly NewSchemaDefinition[] = [
  definition('airport', 'A place where aircraft land', { city: reference('city'), country: reference('country') }),
  definition('airline', 'A carrier and where it is based', {
    country: reference('country'),
    hub: reference('airport'),
  }),
  definition('route', 'A flight between two airports', {
    airline: reference('airline'),
    from: reference('airport'),
    to: reference('airport'),
  }),
  definition('aircraft', 'A machine and who flies it', { airline: reference('airline') }),
];

function definition(name: string, description: string, properties: object): NewSchemaDefinition {
  return { name, description, schema: { type: 'object', properties: { externalId: text, name: text, ...properties } } };
}

/** Fills a service with batches in different states. */
export async function showcase(drover: DroverClient): Promise<Shown> {
  for (const each of [COUNTRY_SCHEMA, CITY_SCHEMA, ...OTHERS]) await drover.schemaDefinitions.create(each);
  const webhook = await addWebhook(drover);
  const all = cities();
  const known = (countries() as { code: string; borders: string[] }[]).filter(({ code }) => !MISSING.has(code));
  const present = known.map((country) => ({
    ...country,
    borders: country.borders.filter((code) => !MISSING.has(code)),
  }));
  const first = await drover.resources.upload('country', present, { dependencyWaitTimeout: HOUR_S });
  await drover.batches.wait(first.batchId, { until: ({ counts }) => counts.queued === 0 });
  const imported = await drover.import(lines(all.slice(0, ROWS)), {
    schema: 'city',
    format: 'ndjson',
    label: 'Cities of the world',
  });
  const patch = await drover.resources.patch('country', [
    { code: 'CH', name: 'Switzerland' },
    { code: 'XX', name: 'Nowhere' },
  ]);
  await drover.batches.wait(patch.batchId);
  const removal = await drover.resources.delete('country', { externalIds: ['CH', 'AQ', 'none'] });
  await drover.batches.wait(removal.batchId);
  const faulty = await drover.resources.upload('city', withFaults(all.slice(ROWS, ROWS + BATCH)), {
    onconflict: 'reject',
  });
  await drover.batches.wait(faulty.batchId);
  await drover.imports.wait(imported);
  const bulk = await cancelMany(drover, orphans(all));
  const waiting = await drover.resources.upload('city', orphans(all), { dependencyWaitTimeout: HOUR_S });
  await drover.batches.wait(waiting.batchId, { until: ({ counts }) => counts.queued === 0 });
  return { waiting: waiting.batchId, faulty: faulty.batchId, imported, bulk, webhook };
}

const MANY = 6;

/** @returns the operation that has cancelled several batches, which have waited. */
async function cancelMany(drover: DroverClient, resources: readonly object[]): Promise<string> {
  const options = { dependencyWaitTimeout: HOUR_S, label: 'Nightly run' };
  for (let n = 0; n < MANY; n++) {
    const { batchId } = await drover.resources.upload(
      'city',
      resources.slice(n * MANY, n * MANY + BATCH / MANY),
      options,
    );
    await drover.batches.wait(batchId, { until: ({ counts }) => counts.queued === 0 });
  }
  const { bulkOperationId } = await drover.bulkOperations.start('cancel', { label: options.label, status: 'waiting' });
  await drover.bulkOperations.wait(bulkOperationId);
  return bulkOperationId;
}

/** Nothing answers at its address: its deliveries show why, and when they are tried again. */
async function addWebhook(drover: DroverClient): Promise<string> {
  const { webhookId } = await drover.webhooks.create({
    url: 'https://hooks.example.com/drover',
    events: ['batch.completed', 'import.completed'],
    description: 'Tells the team of each import',
  });
  return webhookId;
}

async function* lines(resources: readonly object[]): AsyncGenerator<string> {
  for (const resource of resources) yield `${JSON.stringify(resource)}\n`;
}

/** Cities, some of them of countries that are missing. */
function orphans(all: readonly object[]): object[] {
  const ofMissing = all.filter((city) => MISSING.has((city as { country: string }).country));
  const others = all.filter((city) => !MISSING.has((city as { country: string }).country));
  const step = Math.floor(ofMissing.length / (BATCH / 2));
  return [...ofMissing.filter((_, at) => at % step === 0).slice(0, BATCH / 2), ...others.slice(-BATCH / 2)];
}

const EVERY = { longName: 9, unknown: 14, negative: 23 };

function withFaults(resources: readonly object[]): object[] {
  return resources.map((resource, at) => {
    if (at % EVERY.longName === 0) return { ...resource, name: '' };
    if (at % EVERY.unknown === 0) return { ...resource, mayor: 'unknown' };
    if (at % EVERY.negative === 0) return { ...resource, country: undefined };
    return resource;
  });
}
