import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startNetwork } from '../../bench/installation/network.ts';
import { earlierVersion } from '../../bench/installation/version.ts';
import { node, Program } from '../../testkit/program.ts';

/** A short run of a benchmark, with servers that are running already. */

interface Figure {
  readonly name: string;
  readonly values: number[];
}

interface Section {
  readonly name: string;
  readonly measured: { readonly contestant: string; readonly figures: Figure[] }[];
}

let folder: string;
let bench: Program;
let report: { readonly servers: string[]; readonly sections: Section[] };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-bench-'));
  const json = join(folder, 'report.json');
  const options = ['--rounds', '1', '--scale', '0.01', '--json', json];
  bench = Program.spawn({
    name: 'bench',
    command: [...node(fileURLToPath(new URL('../../bench/main.ts', import.meta.url))), 'server', ...options],
    environment: { ...process.env, MONGODB_URI: inject('mongodbUri'), TEMPORAL_ADDRESS: inject('temporalAddress') },
    ready: /^written to/,
  });
  expect(await bench.ended, bench.output).toBe(0);
  report = JSON.parse(await readFile(json, 'utf8'));
}, 300_000);
afterAll(async () => {
  await bench?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('what a batch of 10 asks of the server', () => {
  const asked = (name: string): number | undefined =>
    report.sections[0]?.measured[0]?.figures.find((figure) => figure.name === name)?.values[0];

  test.each([
    ['10 new, default: worker: insert resources: inserted', 10],
    // by id, by what it refers to, and by its schema definition
    ['10 new, default: worker: insert resources: index entries', 30],
    ['10 changed, default: worker: update resources: updated', 10],
    ['10 patched, default: worker: update resources: updated', 10],
    ['10 patched, default: worker: update resources: index entries', 0],
    ['10 new, default: API: insert batches: inserted', 1],
  ])('%s is %i', (name, count) => {
    expect(asked(name)).toBe(count);
  });

  test('has bytes both ways, an oplog and round trips', () => {
    for (const column of ['sent', 'received', 'oplog', 'in a row, API', 'in a row, worker'])
      for (const batch of ['new', 'changed', 'patched', 'deleted'])
        expect(asked(`10 ${batch}, default: ${column}`), `${batch}: ${column}`).toBeGreaterThan(0);
  });
});

test('servers that were not started here are named, and nothing is left there', async () => {
  expect(report.servers.join('\n')).toMatch(/MongoDB at .+ dropped afterwards/);
  const client = new MongoClient(inject('mongodbUri'));
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  await client.close();
  expect(databases.filter(({ name }) => name.startsWith('bench-'))).toEqual([]);
});

test('a network has the delay of a round trip, and leads to the servers', async () => {
  const servers = { mongodbUri: inject('mongodbUri'), temporalAddress: inject('temporalAddress') };
  const network = await startNetwork(servers, 20);
  const client = new MongoClient(network.addresses.mongodbUri);
  try {
    expect(network.addedMs).toBeGreaterThan(15);
    await client.connect();
    const since = performance.now();
    await client.db('admin').command({ ping: 1 });
    expect(performance.now() - since).toBeGreaterThan(15);
  } finally {
    await client.close();
    await network.stop();
  }
});

test('an earlier version that is not there is named in one line', () => {
  expect(() => earlierVersion('no-such-version', () => undefined)).toThrow(/^git rev-parse: .*$/);
});
