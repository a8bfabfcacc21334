import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type AttemptOfCommands, asAttempt } from '../../../store/mongodb/command-time.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { CommandTimeoutError } from '../../../store/mongodb/errors.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { TcpProxy } from '../../../testkit/proxy.ts';

interface Note {
  _id: string;
  text?: string;
}

let proxy: TcpProxy;
let database: Database;
beforeAll(async () => {
  proxy = await TcpProxy.start({ to: inject('mongodbUri') });
  database = await connectDatabase(proxy.address, `command-time-${process.pid}-${Date.now()}`);
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
  await proxy.stop();
});

const notes = () => database.collection<Note>('notes');

function attempt(timeMs: number, begun: () => void = () => undefined): AttemptOfCommands {
  const end = performance.now() + timeMs;
  const left = (): number => {
    begun();
    if (performance.now() > end) throw new Error('out of time');
    return end - performance.now();
  };
  return { activity: 'a', since: 1, commandTimeMs: left, cursorTimeMs: left, begun: () => 0, now: () => new Date() };
}

const longText = (of: string): string => of.repeat(1_000_000);

test.each<[string, string, () => Promise<unknown>]>([
  ['insertOne', 'insert', () => notes().insertOne({ _id: 'one' })],
  ['insertMany', 'insert', () => notes().insertMany([{ _id: 'two' }])],
  ['updateOne', 'update', () => notes().updateOne({ _id: 'one' }, { $set: { text: 'x' } })],
  ['updateMany', 'update', () => notes().updateMany({ _id: 'one' }, { $set: { text: 'x' } })],
  [
    'bulkWrite',
    'update',
    () => notes().bulkWrite([{ updateOne: { filter: { _id: 'one' }, update: { $set: { text: 'y' } } } }]),
  ],
  ['findOneAndUpdate', 'findAndModify', () => notes().findOneAndUpdate({ _id: 'one' }, { $set: { text: 'x' } })],
  ['deleteOne', 'delete', () => notes().deleteOne({ _id: 'one' })],
  ['deleteMany', 'delete', () => notes().deleteMany({ _id: 'one' })],
  ['find', 'find', () => notes().find({ _id: 'one' }).toArray()],
  ['findOne', 'find', () => notes().findOne({ _id: 'one' })],
  ['countDocuments', 'aggregate', () => notes().countDocuments({ _id: 'one' })],
])('%s of an attempt sends its time limit to the server, and is aborted after it', async (_, command, send) => {
  const held = proxy.hold(command, 'notes');
  const begun = performance.now();
  await expect(asAttempt(attempt(300), send)).rejects.toThrow(CommandTimeoutError);
  expect(performance.now() - begun).toBeLessThan(1_500);
  const { message, deliver } = await held;
  expect(message.includes('maxTimeMS')).toBe(true);
  // the embedded server's answer to `maxTimeMS`
  expect((await deliver()).includes('errmsg')).toBe(false);
});

test('a further batch of documents that an attempt reads is aborted when its time is over', async () => {
  await notes().insertMany(['further-1', 'further-2', 'further-3'].map((_id) => ({ _id })));
  const held = proxy.hold('getMore', 'notes');
  const begun = performance.now();
  const read = () =>
    notes()
      .find({ _id: /^further-/ }, { batchSize: 2 })
      .toArray();
  await expect(asAttempt(attempt(300), read)).rejects.toThrow(CommandTimeoutError);
  expect(performance.now() - begun).toBeLessThan(1_500);
  await (await held).deliver();
});

test('an aborted command is an outage: whether it was applied is unknown', async () => {
  void proxy.hold('insert', 'notes');
  await expect(asAttempt(attempt(200), () => notes().insertOne({ _id: 'lost' }))).rejects.toThrow(CommandTimeoutError);
});

test('outside of attempts no time limit is sent', async () => {
  const sent = proxy.watch('outside');
  await notes().insertOne({ _id: 'outside' });
  expect(sent.map((message) => message.includes('maxTimeMS'))).toEqual([false]);
});

test('a bulk write is cut into commands by number and by bytes, each of which begins in time', async () => {
  let begun = 0;
  const documents = Array.from({ length: 2_500 }, (_, n) => ({ _id: `many-${n}` }));
  const work = attempt(20_000, () => {
    begun += 1;
  });
  const [many, largest] = [proxy.watch('insert', 'many-'), proxy.watch('insert', 'large-')];
  await asAttempt(work, () => notes().insertMany(documents, { ordered: true }));
  expect(begun).toBe(5);
  expect(many).toHaveLength(5);
  const large = Array.from({ length: 30 }, (_, n) => ({ _id: `large-${n}`, text: longText('x') }));
  await asAttempt(work, () => notes().insertMany(large));
  expect(largest.length).toBeGreaterThan(0);
  expect(largest.every((message) => message.length < 13_000_000)).toBe(true);
  expect(await notes().countDocuments({ _id: /^(many|large)-/ })).toBe(2_530);
});

test('a bulk write whose time is over between two commands begins no further one', async () => {
  let left = 2;
  const work = attempt(20_000, () => {
    if (left-- === 0) throw new Error('out of time');
  });
  const documents = Array.from({ length: 5_000 }, (_, n) => ({ _id: `late-${n}` }));
  await expect(asAttempt(work, () => notes().insertMany(documents))).rejects.toThrow('out of time');
  expect(await notes().countDocuments({ _id: /^late-/ })).toBe(1_000);
});

test('an ordered insert reports which of its documents had a taken _id', async () => {
  await notes().insertOne({ _id: 'order-1500' });
  const documents = Array.from({ length: 2_500 }, (_, n) => ({ _id: `order-${n}` }));
  await expect(notes().insertMany(documents, { ordered: true })).rejects.toMatchObject({
    writeErrors: [{ index: 1_500 }],
  });
  expect(await notes().countDocuments({ _id: /^order-/ })).toBe(1_501);
});

test('an unordered bulk of several kinds applies all writes that it can, and counts them', async () => {
  await notes().insertMany([{ _id: 'kind-1' }, { _id: 'kind-2' }]);
  const result = await notes().bulkWrite(
    [
      { updateOne: { filter: { _id: 'kind-1' }, update: { $set: { text: 'changed' } } } },
      { insertOne: { document: { _id: 'kind-3' } } },
      { deleteOne: { filter: { _id: 'kind-2' } } },
      { updateOne: { filter: { _id: 'kind-4' }, update: { $set: { text: 'new' } }, upsert: true } },
    ],
    { ordered: false },
  );
  expect(result).toMatchObject({ insertedCount: 1, matchedCount: 1, deletedCount: 1, upsertedCount: 1 });
  const taken = [{ _id: 'kind-3' }, ...Array.from({ length: 1_500 }, (_, n) => ({ _id: `kind-5-${n}` }))];
  await expect(notes().insertMany(taken, { ordered: false })).rejects.toMatchObject({ code: 11_000 });
  expect(await notes().countDocuments({ _id: /^kind-5-/ })).toBe(1_500);
});
