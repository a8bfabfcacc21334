import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { insertStep, readStep, stepId, unfinishedSteps } from '../../../isolation/deletes/deletion-steps.ts';
import { removeDeletionPlan } from '../../../isolation/deletes/step-groups.ts';
import { decideGroup, groupsIn } from '../../../isolation/groups/groups.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `steps-${process.pid}-${Math.random().toString(36).slice(2)}`);
});
afterAll(async () => {
  await resourcesIn(database).db.dropDatabase();
  await database.close();
});

test('the late end of a run does not remove the plan of a later run, nor its decisions', async () => {
  const step = { targets: new Map([['default/default/s/a', { items: [0], reasons: [] }]]), decided: [] };
  for (const run of [1, 2, 10]) {
    await insertStep(database, { batchId: 'late', run }, 7, step);
    await decideGroup(database, stepId('late', run, 7), 'committed', []);
  }
  const unfinished: string[] = [];
  for await (const { id } of unfinishedSteps(database, 'late', 1)) unfinished.push(id);
  expect(unfinished).toEqual(['late/1/7']);
  await removeDeletionPlan(database, 'late', 1);
  expect(await readStep(database, 'late/1/7')).toBeNull();
  expect(await groupsIn(database).findOne({ _id: 'late/1/7' })).toBeNull();
  for (const later of ['late/2/7', 'late/10/7']) {
    expect((await readStep(database, later))?.targets.size).toBe(1);
    expect(await groupsIn(database).findOne({ _id: later })).toMatchObject({ state: 'committed' });
  }
  await removeDeletionPlan(database, 'late', 10);
  expect(await readStep(database, 'late/2/7')).toBeNull();
  expect(await readStep(database, 'late/10/7')).toBeNull();
});
