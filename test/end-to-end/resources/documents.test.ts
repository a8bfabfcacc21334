import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Document, MongoClient } from 'mongodb';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { CITY_SCHEMA, COUNTRY_SCHEMA, cities, correctedCountries, countries } from '../../../demo/data.ts';
import { createIndexes, INDEXES } from '../../../store/mongodb/indexes.ts';
import { Drover } from '../../harness/drover.ts';

/** What users of the database find in `resources`, with drivers of their own and none of our code. */

interface Country {
  readonly code: string;
  readonly region: string;
  readonly area: number;
}
interface City {
  readonly id: string;
  readonly name: string;
  readonly adminCode: string;
  readonly population: number;
  readonly position: { readonly latitude: number };
}

const BATCH = 1_000;
/** The large cities, and every fiftieth of the others. */
const isWanted = ({ adminCode, population }: City, n: number): boolean =>
  adminCode !== '' && (population > 900_000 || n % 50 === 0);
const countryList = [...countries(), ...correctedCountries()] as Country[];

let drover: Drover;
let client: MongoClient;
let resources: ReturnType<MongoClient['db']>['collection'] extends (name: string) => infer C ? C : never;
const sent = {
  country: [...new Map(countryList.map((country) => [country.code, country])).values()],
  city: (cities() as City[]).filter(isWanted),
};
const LARGE = sent.city.filter(({ population }) => population > 1_000_000).map(({ name }) => name);
beforeAll(async () => {
  drover = await Drover.start();
  client = new MongoClient(inject('mongodbUri'));
  resources = client.db(drover.config.MONGODB_DATABASE).collection('resources');
  for (const definition of [COUNTRY_SCHEMA, CITY_SCHEMA]) await drover.client().schemaDefinitions.create(definition);
  await resources.createIndex({ schemaName: 1, 'data.country': 1 }, { name: 'mine' });
  await drover.ended(await drover.upload('country', sent.country));
  for (let at = 0; at < sent.city.length; at += BATCH)
    await drover.ended(await drover.upload('city', sent.city.slice(at, at + BATCH)));
});
afterAll(async () => {
  await client.close();
  await drover.stop();
});

const namesOf = (found: readonly Document[]): string[] => found.map(({ data }) => data.name).sort();

describe('a plain driver', () => {
  test('finds resources by their fields, as docs/operations.md says', async () => {
    expect(LARGE.length).toBeGreaterThan(100);
    const found = await resources.find({ schemaName: 'city', 'data.population': { $gt: 1_000_000 } }).toArray();
    expect(namesOf(found)).toEqual(LARGE.toSorted());
    const nested = { schemaName: 'city', 'data.position.latitude': { $gt: 60 }, hidden: { $exists: false } };
    expect(await resources.countDocuments(nested)).toBe(
      sent.city.filter(({ position }) => position.latitude > 60).length,
    );
    const [sum] = await resources
      .aggregate([
        { $match: { schemaName: 'country' } },
        { $group: { _id: '$data.region', area: { $sum: '$data.area' } } },
        { $match: { _id: 'Europe' } },
      ])
      .toArray();
    const europe = sent.country.filter(({ region }) => region === 'Europe');
    expect(sum?.area).toBeCloseTo(europe.reduce((all, { area }) => all + area, 0));
  });

  test('reads every resource as it was sent', async () => {
    for (const [schemaName, externalId] of [
      ['country', 'code'],
      ['city', 'id'],
    ] as const) {
      const stored = new Map((await resources.find({ schemaName }).toArray()).map((one) => [one.externalId, one.data]));
      for (const one of sent[schemaName] as readonly Document[])
        expect(JSON.stringify(stored.get(one[externalId]))).toBe(JSON.stringify(one));
    }
  });

  test('creates indexes of its own, which disturb none of ours, and which no start of ours removes', async () => {
    const lines: unknown[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
    expect(await createIndexes(drover.services.database, INDEXES, logger)).toEqual([]);
    expect(lines).toEqual([]);
    const names = (await resources.indexes()).map(({ name }) => name);
    const ours = INDEXES.flatMap(({ collection, name }) => (collection === 'resources' ? [name] : []));
    expect(names).toEqual(expect.arrayContaining(['mine', ...ours]));
    await drover.ended(await drover.patch('city', [{ id: sent.city[0]?.id, country: 'DE' }]));
    expect(
      await resources.countDocuments({ schemaName: 'city', 'data.country': 'DE', 'data.id': sent.city[0]?.id }),
    ).toBe(1);
    await drover.ended(await drover.patch('city', [sent.city[0] ?? {}]));
  });
});

/** Installed for this test alone where no Python of this machine has it; null where it cannot be had. */
function pythonPath(): string | null {
  if (spawnSync('python3', ['-c', 'import pymongo']).status === 0) return '';
  const target = mkdtempSync(join(tmpdir(), 'drover-pymongo-'));
  const options = { timeout: 60_000 };
  const installed = spawnSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', target, 'pymongo'], options);
  return installed.status === 0 ? target : null;
}

const PYTHON_PATH = pythonPath();
if (PYTHON_PATH === null) console.log('skipped: reading with Python; python3 with pymongo cannot be had');
afterAll(() => {
  if (PYTHON_PATH) rmSync(PYTHON_PATH, { recursive: true });
});

const READ_ALL = `
import json, sys
from pymongo import MongoClient
resources = MongoClient(sys.argv[1])[sys.argv[2]].resources
large = resources.find({"schemaName": "city", "data.population": {"$gt": 1000000}})
json.dump({
    "large": sorted(one["data"]["name"] for one in large),
    "country": {one["externalId"]: one["data"] for one in resources.find({"schemaName": "country"})},
    "city": {one["externalId"]: one["data"] for one in resources.find({"schemaName": "city"})},
}, sys.stdout)
`;

test.runIf(PYTHON_PATH !== null)(
  'Python reads every resource as it was sent, and finds them by their fields',
  async () => {
    const { stdout } = await promisify(execFile)(
      'python3',
      ['-c', READ_ALL, inject('mongodbUri'), drover.config.MONGODB_DATABASE],
      { env: { ...process.env, PYTHONPATH: PYTHON_PATH ?? '' }, maxBuffer: 64 * 1024 * 1024 },
    );
    const read = JSON.parse(stdout) as {
      large: string[];
      country: Record<string, unknown>;
      city: Record<string, unknown>;
    };
    expect(read.large).toEqual(LARGE.toSorted());
    expect(read.country).toEqual(Object.fromEntries(sent.country.map((one) => [one.code, one])));
    expect(read.city).toEqual(Object.fromEntries(sent.city.map((one) => [one.id, one])));
  },
);
