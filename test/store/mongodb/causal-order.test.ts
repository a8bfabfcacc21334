import type { Collection } from 'mongodb';
import { afterEach, expect, test, vi } from 'vitest';
import { inCausalOrder } from '../../../store/mongodb/causal-order.ts';
import { type AttemptOfCommands, asAttempt } from '../../../store/mongodb/command-time.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { type Deployment, FakeDeployment, type Recorded, secondsOf } from './fake-deployment.ts';

interface Note {
  _id: string;
}

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function start(kind: Deployment): Promise<FakeDeployment> {
  const deployment = await FakeDeployment.start(kind);
  opened.push({ close: () => deployment.stop() });
  return deployment;
}

async function connect(deployment: FakeDeployment, retryWrites = false): Promise<Database> {
  const database = await connectDatabase(deployment.uri, 'causal', { retryWrites });
  opened.push(database);
  return database;
}

const notes = (database: Database): Collection<Note> => database.collection<Note>('notes');

const attempt: AttemptOfCommands = {
  activity: 'a',
  since: 1,
  commandTimeMs: () => 20_000,
  begun: () => 0,
  cursorTimeMs: () => 20_000,
  now: () => new Date(),
};

const waitsFor = ({ command }: Recorded): number | undefined =>
  command.readConcern?.afterClusterTime === undefined ? undefined : secondsOf(command.readConcern.afterClusterTime);

const READS: [string, string, (of: Collection<Note>) => Promise<unknown>][] = [
  ['find', 'find', (of) => of.find({ _id: 'a' }).toArray()],
  ['findOne', 'find', (of) => of.findOne({ _id: 'a' })],
  ['aggregate', 'aggregate', (of) => of.aggregate([{ $match: { _id: 'a' } }]).toArray()],
  ['countDocuments', 'aggregate', (of) => of.countDocuments({ _id: 'a' })],
];

const WRITES: [string, (of: Collection<Note>) => Promise<unknown>][] = [
  ['insertOne', (of) => of.insertOne({ _id: 'a' })],
  ['insertMany', (of) => of.insertMany([{ _id: 'b' }, { _id: 'c' }])],
  ['updateOne', (of) => of.updateOne({ _id: 'a' }, { $set: { text: 'x' } })],
  ['bulkWrite', (of) => of.bulkWrite([{ deleteOne: { filter: { _id: 'a' } } }])],
  ['findOneAndUpdate', (of) => of.findOneAndUpdate({ _id: 'a' }, { $set: { text: 'x' } })],
  ['deleteMany', (of) => of.deleteMany({ _id: 'a' })],
];

const pairs = WRITES.flatMap(([write, doWrite]) =>
  READS.map(([read, name, doRead]) => ({ write, doWrite, read, name, doRead })),
);

test.each(pairs)(
  '$read after $write of an attempt waits for that write on a majority',
  async ({ doWrite, name, doRead }) => {
    const deployment = await start('replica set');
    const database = await connect(deployment);
    await asAttempt(attempt, async () => {
      await doWrite(notes(database));
      await doRead(notes(database));
    });
    const written = deployment.recorded.find((recorded) => recorded.name !== name);
    const [read] = deployment.of(name);
    expect(written).toBeDefined();
    expect(read?.command.readConcern.level).toBe('majority');
    expect(waitsFor(read as Recorded)).toBeGreaterThanOrEqual(written?.operationTime ?? Number.NaN);
  },
);

test('the first command of a process, sent before it is connected, is in order too', async () => {
  const deployment = await start('mongos');
  const database = await connect(deployment);
  await inCausalOrder(async () => {
    await notes(database).insertOne({ _id: 'a' });
    await notes(database).findOne({ _id: 'a' });
  });
  const [insert] = deployment.of('insert');
  expect(waitsFor(deployment.of('find')[0] as Recorded)).toBe(insert?.operationTime);
});

test('a read sees what an earlier read of its attempt has seen, whichever answers first', async () => {
  const deployment = await start('mongos');
  const database = await connect(deployment);
  await notes(database).insertOne({ _id: 'of another' });
  await asAttempt(attempt, async () => {
    await notes(database).findOne({ _id: 'of another' });
    await Promise.all([notes(database).find().toArray(), notes(database).find().toArray()]);
  });
  const [first, ...later] = deployment.of('find') as [Recorded, ...Recorded[]];
  expect(waitsFor(first)).toBeUndefined();
  expect(later.map(waitsFor)).toEqual([first.operationTime, first.operationTime]);
});

test('a read does not wait for writes of another attempt, and commands outside of attempts are sent as before', async () => {
  const deployment = await start('mongos');
  const database = await connect(deployment);
  await asAttempt(attempt, () => notes(database).insertOne({ _id: 'a' }));
  await asAttempt(attempt, () => notes(database).findOne({ _id: 'a' }));
  await notes(database).insertOne({ _id: 'b' });
  await notes(database).findOne({ _id: 'b' });
  expect(deployment.of('find').map(waitsFor)).toEqual([undefined, undefined]);
});

test('writes side by side, each of which the driver may send again, never share a number', async () => {
  const deployment = await start('replica set');
  const database = await connect(deployment, true);
  await inCausalOrder(() =>
    Promise.all(Array.from({ length: 30 }, (_, n) => notes(database).insertOne({ _id: `n-${n}` }))),
  );
  const numbers = deployment
    .of('insert')
    .map(({ command }) => `${command.lsid.id.toString('hex')}/${command.txnNumber}`);
  expect(numbers).toHaveLength(30);
  expect(new Set(numbers).size).toBe(30);
  expect(numbers.some((number) => number.endsWith('undefined'))).toBe(false);
});

test('a command of an attempt costs no other command, and its session is used again', async () => {
  const deployment = await start('replica set');
  const database = await connect(deployment);
  await asAttempt(attempt, async () => {
    for (let n = 0; n < 5; n++) {
      await notes(database).insertOne({ _id: `${n}` });
      await notes(database)
        .find({ _id: `${n}` })
        .toArray();
    }
  });
  const ofCollections = deployment.names.filter((name) => !/^(hello|ismaster|ping)$/i.test(name));
  expect(ofCollections).toEqual(Array.from({ length: 5 }, () => ['insert', 'find']).flat());
  expect(new Set(deployment.recorded.map(({ command }) => command.lsid.id.toString('hex'))).size).toBe(1);
});

test.each<Deployment>(['standalone', 'embedded'])('nothing of this is sent to a %s server', async (kind) => {
  const deployment = await start(kind);
  const database = await connectDatabase(deployment.uri, 'causal');
  await asAttempt(attempt, async () => {
    await notes(database).insertOne({ _id: 'a' });
    expect(await notes(database).find({ _id: 'a' }).toArray()).toEqual([{ _id: 'a' }]);
  });
  await database.close();
  expect(deployment.recorded.map(({ name }) => name)).toEqual(['insert', 'find']);
  for (const { command } of deployment.recorded) {
    expect(command).not.toHaveProperty('$clusterTime');
    expect(command.readConcern ?? {}).not.toHaveProperty('afterClusterTime');
    if (kind === 'embedded') expect(command).not.toHaveProperty('lsid');
  }
  if (kind === 'embedded') expect(deployment.names).not.toContain('endSessions');
});

/** Waits until no server can answer before the primary has caught up, or all have answered. */
const stuckOrDone = (deployment: FakeDeployment, done: () => number, of: number): Promise<void> =>
  vi.waitFor(() => expect(deployment.waiting + done()).toBe(of), { timeout: 10_000 });

test('of two attempts that write and then read, after a step-down, at least one sees the other (invariants 3 and 5)', async () => {
  const deployment = await start('mongos');
  const [writer, deleter] = [await connect(deployment), await connect(deployment)];
  let hasWritten = 0;
  let bothHaveWritten: () => void = () => undefined;
  const written = new Promise<void>((resolve) => {
    bothHaveWritten = resolve;
  });
  const seen: (Note | null)[] = [];
  const writeThenRead = (database: Database, own: string, others: string): Promise<void> =>
    asAttempt(attempt, async () => {
      await notes(database).insertOne({ _id: own });
      hasWritten += 1;
      if (hasWritten === 2) {
        deployment.stepDown(2);
        bothHaveWritten();
      }
      await written;
      seen.push(await notes(database).findOne({ _id: others }));
    });
  const both = Promise.all([writeThenRead(writer, 'intent', 'mark'), writeThenRead(deleter, 'mark', 'intent')]);
  await stuckOrDone(deployment, () => seen.length, 2);
  expect(seen).toEqual([]);
  deployment.catchUp();
  await both;
  expect(seen.filter((note) => note !== null).length).toBeGreaterThanOrEqual(1);
});

test('after a failover, a new attempt sees every write that was acknowledged before', async () => {
  const deployment = await start('replica set');
  const [writer, reader] = [await connect(deployment), await connect(deployment)];
  await asAttempt(attempt, () => notes(writer).insertOne({ _id: 'acknowledged' }));
  await inCausalOrder(() => notes(reader).findOne({ _id: 'other' }));
  deployment.stepDown(1);
  let found: Note | null | undefined;
  const laterRead = inCausalOrder(async () => {
    found = await notes(reader).findOne({ _id: 'acknowledged' });
  });
  await stuckOrDone(deployment, () => (found === undefined ? 0 : 1), 1);
  deployment.catchUp();
  await laterRead;
  expect(found).toEqual({ _id: 'acknowledged' });
});
