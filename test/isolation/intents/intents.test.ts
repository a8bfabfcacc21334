import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { noActions, noCounts } from '../../../domain/batch/outcome.ts';
import { intentsIn, layIntent, removeStaleIntents } from '../../../isolation/intents/intents.ts';
import { insertBatch } from '../../../store/batches/batches.ts';
import { recordFinished } from '../../../store/batches/run-state.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `intents-${process.pid}-${Date.now()}`);
});
afterAll(() => database.close());

async function running(_id: string): Promise<void> {
  const about = {
    operation: 'patch',
    options: { ignoreUnknownFields: false },
    schemaDefinitionId: 's',
    schemaName: 's',
  } as const;
  await insertBatch(database, {
    _id,
    ...about,
    scope: { platform: 'p', tenant: 't' },
    total: 1,
    pageSize: 50,
    createdAt: new Date(),
  });
  await layIntent(database, { id: `attempt of ${_id}`, batchId: _id, schemaDefinitionIds: ['s'], targets: ['x'] });
}

test('the intent of an attempt that died is removed once its batch is over, and not before', async () => {
  await running('over');
  await running('runs');
  await recordFinished(database, { batchId: 'over', run: 1 }, 'success', {
    counts: noCounts(),
    actions: noActions(),
    errorCodes: {},
  });
  expect(await removeStaleIntents(database, '', 1)).not.toBeNull();
  expect(await removeStaleIntents(database, '', 10)).toBeNull();
  expect((await intentsIn(database).find().toArray()).map((intent) => intent.batchId)).toEqual(['runs']);
});
