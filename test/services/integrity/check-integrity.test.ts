import { afterAll, beforeAll, expect, test } from 'vitest';
import { forgetOldGroups } from '../../../isolation/groups/forget-groups.ts';
import { checkIntegrity, type Fault, faultLine } from '../../../services/integrity/check-integrity.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { itemPagesIn } from '../../../store/items/item-pages.ts';
import { removeOrphanedPages } from '../../../store/migrations/orphaned-pages.ts';
import { integrity } from '../../../worker/integrity.ts';
import { ended as importEnded, ndjson, opened, putPart, seal, started } from '../../end-to-end/imports/imports.ts';
import { Drover } from '../../harness/drover.ts';
import { type Damage, Damages } from './damage.ts';

/** What is found in a database that the service has used, that it is using, and that somebody has damaged. */

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '5' } });
  await drover.define('node', { next: { type: 'array', items: { $ref: 'reach:schemas/node' } } });
});
afterAll(() => drover.stop());

const node = (externalId: string, ...next: string[]) => ({ externalId, next });

async function faults(options: { repair: boolean; settleMs?: number }): Promise<Fault[]> {
  const found: Fault[] = [];
  const checked: string[] = [];
  for await (const step of checkIntegrity(drover.services, { settleMs: 100, ...options })) {
    if ('checked' in step) checked.push(step.checked);
    else found.push(step);
  }
  expect(new Set(checked).size).toBeGreaterThan(12);
  return found;
}

/** Everything that a batch may be: one that waits, one that is suspended, cycles, deletes, undos, imports whole and in parts. */
async function useEverything(): Promise<void> {
  const cycle = await drover.upload('node', [node('a', 'b'), node('b', 'a'), node('c', 'nowhere'), node('d')], {
    undoable: true,
  });
  await drover.ended(cycle);
  await drover.ended(await drover.patch('node', [node('d', 'a'), node('none')]));
  const waiting = await drover.upload('node', [node('w', ...Array.from({ length: 30 }, (_, n) => `missing-${n}`))], {
    dependencyWaitTimeout: 3_600,
  });
  await drover.waiting(waiting);
  const first = await drover.upload('node', [node('r1', 'r2')], { dependencyWaitTimeout: 3_600 });
  await drover.waiting(first);
  for (const id of [first, await drover.upload('node', [node('r2', 'r1')], { dependencyWaitTimeout: 60 })])
    await drover.ended(id);
  await drover.ended(await drover.delete('node', { externalIds: ['a', 'r1', 'none'], cascade: true }));
  const { body } = await drover.request<{ batchId: string }>('POST', `/api/batches/${cycle}/undo`);
  await drover.ended(body.data.batchId);
  await drover.request('POST', `/api/batches/${cycle}/retry`);
  await importEnded(
    drover,
    await started(drover, { schema: 'node' }, ndjson([node('i1', 'i2'), node('i2'), node('i3', 'no')])),
  );
  await importEnded(drover, await started(drover, { schema: 'node', validateOnly: true }, ndjson([node('i4', 'i1')])));
  const inParts = await opened(drover, { schema: 'node' });
  await drover.request('POST', `/api/imports/${inParts}/suspend`);
  await putPart(drover, inParts, 1, ndjson([node('i5')]));
  await seal(drover, inParts, 1);
}

test('nothing is found after everything was used, nor while batches run', async () => {
  await useEverything();
  expect(await faults({ repair: false })).toEqual([]);
  const deletion = drover.delete('node', { externalIds: ['t-1', 't-7'], cascade: true });
  const uploads = Array.from({ length: 6 }, (_, n) =>
    drover.upload(
      'node',
      Array.from({ length: 20 }, (_, k) => node(`t-${k}`, `t-${(k + n) % 20}`, `u-${n}`)),
      {
        dependencyWaitTimeout: n % 2 === 0 ? 3_600 : 0,
      },
    ),
  );
  const targets = Array.from({ length: 6 }, (_, n) => drover.upload('node', [node(`u-${n}`)]));
  for (let round = 0; round < 2; round++) expect(await faults({ repair: true, settleMs: 1_000 })).toEqual([]);
  for (const id of await Promise.all([deletion, ...uploads, ...targets])) await drover.ended(id);
  expect(await faults({ repair: false })).toEqual([]);
}, 90_000);

const places = (found: readonly Fault[]): string[] => found.map(({ kind, id }) => `${kind}: ${id}`).sort();

/** Of what only an operator can decide, or only recovery does. */
const NOT_REPAIRED = [
  'dangling reference',
  'wrong identity',
  'wrong version',
  'no schema definition',
  'effect without outcome',
  'item without outcome',
  'items lost',
  'no workflow',
  'not started',
  'not removed',
  'content lost',
];

test('each kind of damage is found where it was done, and nothing else; what can be repaired safely is', async () => {
  const damages: Damage[] = await new Damages(drover).all();
  const inflicted: string[] = [];
  for (const { kind, inflict, alsoAt } of damages) {
    inflicted.push(`${kind}: ${await inflict()}`);
    if (alsoAt !== undefined) inflicted.push(`${alsoAt[0]}: ${alsoAt[1]}`);
  }
  expect(places(await faults({ repair: false }))).toEqual(inflicted.sort());
  const repaired = await faults({ repair: true });
  expect(places(repaired)).toEqual(inflicted);
  const isLeft = (place: string): boolean => NOT_REPAIRED.some((kind) => place.startsWith(`${kind}:`));
  expect(places(repaired.filter(({ isRepaired }) => !isRepaired))).toEqual(inflicted.filter(isLeft));
  expect(places(await faults({ repair: true }))).toEqual(inflicted.filter(isLeft));
}, 90_000);

/** Batches that are accepted, and that recovery inserts once a worker runs: under a key, and as an undo whose claim is made. */
test('pages of a batch that is accepted and not inserted yet stay, however old they are', async () => {
  const { database } = drover.services;
  const db = batchesIn(database).db;
  const [keyed, undo] = ['01811ab0-0000-7000-8000-0000000000a1', '01811ab0-0000-7000-8000-0000000000a2'];
  const undone = await drover.upload('node', [node('undone')], { undoable: true });
  await drover.ended(undone);
  await batchesIn(database).updateOne({ _id: undone }, { $set: { undoneBy: undo, undoUnaccepted: true } });
  await db
    .collection<{ _id: string }>('idempotency_keys')
    .insertOne({ _id: 'key', batch: { _id: keyed }, inserted: false } as never);
  const pages = [keyed, undo].map((id) => ({ _id: `${id}/0`, ids: [] as string[] }));
  await itemPagesIn(database).insertMany(pages);
  const before = (await faults({ repair: false })).length;
  await faults({ repair: true });
  await db.collection<{ _id: string }>('swept').deleteMany({});
  await removeOrphanedPages(database, new Date());
  expect(await itemPagesIn(database).countDocuments({ _id: { $in: pages.map(({ _id }) => _id) } })).toBe(2);
  expect(before).toBe(NOT_REPAIRED.length);
  await db.collection<{ _id: string }>('idempotency_keys').deleteOne({ _id: 'key' });
  await batchesIn(database).updateOne({ _id: undone }, { $unset: { undoneBy: '', undoUnaccepted: '' } });
  await removeOrphanedPages(database, new Date());
  await db.collection<{ _id: string }>('swept').deleteMany({});
  await removeOrphanedPages(database, new Date());
  expect(await itemPagesIn(database).countDocuments({ _id: { $in: pages.map(({ _id }) => _id) } })).toBe(0);
}, 30_000);

test('an old decision is kept while a resource names its group, or a batch has steps or runs', async () => {
  const { database } = drover.services;
  const db = batchesIn(database).db;
  const long = new Date('2022-06-01T00:00:00Z');
  const [named, stepped, running, unneeded] = ['n', 's', 'r', 'u'].map(
    (name) => `01811ab0-0000-7000-8000-00000000000${name}/1/1/g`,
  );
  for (const _id of [named, stepped, running, unneeded])
    await db.collection<{ _id: string }>('commits').insertOne({ _id, state: 'committed', at: long } as never);
  await db.collection<{ _id: string }>('resources').insertOne({ _id: 'marked', hidden: named } as never);
  await db
    .collection<{ _id: string }>('deletion_steps')
    .insertOne({ _id: stepped?.replace('/g', '#000000'), done: false } as never);
  await db
    .collection<{ _id: string }>('batches')
    .insertOne({ _id: running?.split('/')[0], status: 'processing', total: 0 } as never);
  expect(await forgetOldGroups(database, new Date('2023-01-01T00:00:00Z'), 100)).toBe(1);
  const left = await db.collection<{ _id: string }>('commits').find({ at: long }).toArray();
  expect(left.map(({ _id }) => _id).sort()).toEqual([named, running, stepped].sort());
  for (const [collection, _id] of [
    ['resources', 'marked'],
    ['deletion_steps', stepped?.replace('/g', '#000000')],
    ['batches', running?.split('/')[0]],
  ] as const)
    await db.collection<{ _id: string }>(collection).deleteOne({ _id: _id ?? '' });
  await db.collection<{ _id: string }>('commits').deleteMany({ at: long });
});

test('a line has no control characters, whatever ids callers have sent', () => {
  const fault = {
    kind: 'dangling reference',
    collection: 'resources',
    id: 'a\u001b[2J\nb',
    state: '',
    detail: 'to \u009bx',
  } as const;
  expect(faultLine({ ...fault, isRepairable: false, isRepaired: false })).toBe(
    'dangling reference: resources a [2J b: to  x',
  );
});

test('the command writes a line for each fault, and ends with 1 while any is left', async () => {
  const [lines, progress] = [[] as string[], [] as string[]];
  const output = { fault: (line: string) => lines.push(line), progress: (line: string) => progress.push(line) };
  expect(await integrity(drover.config, ['--json', '--settle', '0.1'], output)).toBe(1);
  expect(lines.map((line) => JSON.parse(line).kind).sort()).toEqual([...NOT_REPAIRED].sort());
  expect(progress.at(-1)).toMatch(/1 dangling reference.*; 11 of them are left$/);
  await expect(integrity(drover.config, ['--mend'], output)).rejects.toThrow('--mend');
}, 30_000);
