import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decideGroup } from '../../../isolation/groups/groups.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
let countryId: string;
beforeAll(async () => {
  drover = await Drover.start();
  countryId = await drover.define(
    'country',
    { name: { type: 'string' }, note: { type: 'string' }, near: { $ref: 'reach:schemas/country' } },
    { required: ['name'] },
  );
});
afterAll(() => drover.stop());

test('an item that failed before a later item created its resource has failed, also if both are delivered again', async () => {
  let isDeliveredAgain = false;
  drover.atCheckpoint(async (at) => {
    if (at !== 'written' || isDeliveredAgain) return;
    isDeliveredAgain = true;
    throw ApplicationFailure.retryable('the answer of MongoDB is lost');
  });
  const id = await drover.upload('country', [
    { externalId: 'DE', note: 'comes before there is a name' },
    { externalId: 'DE', name: 'Germany' },
  ]);
  await drover.ended(id);
  expect(isDeliveredAgain).toBe(true);
  expect(await drover.items(id)).toMatchObject([
    { status: 'failed', errors: [{ field: 'name' }] },
    { status: 'succeeded', action: 'created' },
  ]);
  const { body } = await drover.request<{ versionNumber: number; data: object }>('GET', '/api/resources/country/DE');
  expect(body.data).toMatchObject({ versionNumber: 1, data: { externalId: 'DE', name: 'Germany' } });
});

test('members of a cycle that another attempt has left uncommitted do not count as created', async () => {
  const { database } = drover.services;
  const wait = { dependencyWaitTimeout: 600 };
  const one = await drover.upload('country', [{ externalId: 'A', name: 'A', near: 'B' }], wait);
  await drover.waiting(one);
  await drover.request('POST', `/api/batches/${one}/suspend`);
  const other = await drover.upload('country', [{ externalId: 'B', name: 'B', near: 'A' }], wait);
  await drover.waiting(other);
  // the state that an attempt leaves if it dies between its insert and its commit
  const key = (externalId: string): string => `default/default/${countryId}/${externalId}`;
  const uncommitted = [[one, 'A', 'B'] as const, [other, 'B', 'A'] as const].map(([batchId, externalId, near]) => ({
    _id: key(externalId),
    id: externalId,
    scope: 'default/default',
    schemaDefinitionId: countryId,
    externalId,
    data: { externalId, name: externalId, near },
    references: [key(near)],
    version: 1,
    createdAt: new Date(),
    updatedAt: new Date(),
    writes: [{ batchId, index: 0, version: 1, action: 'created' as const }],
    hidden: 'an attempt that died',
  }));
  await resourcesIn(database).insertMany(uncommitted);
  await drover.request('POST', `/api/batches/${one}/resume`);
  for (const id of [one, other]) expect((await drover.ended(id)).actions.created).toBe(1);
  // the batch that met the uncommitted members has aborted their group
  expect((await decideGroup(database, 'an attempt that died', 'committed')).state).toBe('aborted');
  for (const id of ['A', 'B']) expect((await drover.request('GET', `/api/resources/country/${id}`)).status).toBe(200);
});
