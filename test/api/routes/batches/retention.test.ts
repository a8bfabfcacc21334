import { afterAll, beforeAll, expect, test } from 'vitest';
import { IMPORT_JOBS } from '../../../../activities/recovery/imports.ts';
import type { RecoveryJob } from '../../../../activities/recovery/job.ts';
import { expireBatches } from '../../../../activities/recovery/purge-deleted.ts';
import { batchesIn } from '../../../../store/batches/batches.ts';
import { importsIn } from '../../../../store/imports/imports.ts';
import { OwnApi } from '../../own-api.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
let api: OwnApi;
beforeAll(async () => {
  api = await OwnApi.open();
  await api.define('thing');
});
afterAll(() => api.close());

const PATH = '/api/resources/thing/batch';

/** Imports that ask to be kept for some days, or do not, and finished so many days ago. @returns those that are still there. */
async function keptImports(
  asked: readonly (number | null)[],
  finishedDaysAgo: number,
  configuredDays: number,
): Promise<unknown[]> {
  const { database } = api.services;
  const ids: string[] = [];
  for (const days of asked) {
    const query = days === null ? '' : `&retentionDays=${days}`;
    const { status, body } = await api.send('POST', `/api/imports?schema=thing&format=ndjson${query}`);
    expect(status).toBe(201);
    ids.push(body.data.importId as string);
  }
  const completedAt = new Date(Date.now() - finishedDaysAgo * DAY_MS - 1_000);
  await importsIn(database).updateMany({ _id: { $in: ids } }, { $set: { status: 'success', completedAt } });
  const expire = IMPORT_JOBS.find(({ name }) => name === 'expire-imports');
  const context = { database, retentionDays: configuredDays };
  for (let hasMore: boolean | undefined = true; hasMore; )
    hasMore = (await expire?.run({ context } as Parameters<RecoveryJob['run']>[0]))?.hasMore;
  const there = await Promise.all(ids.map((id) => api.send('GET', `/api/imports/${id}`)));
  return asked.filter((_, at) => there[at]?.status === 200);
}

test('an import is kept as long as it has asked for, 0 for ever, and as the installation is configured otherwise', async () => {
  expect(await keptImports([null, 0, 1, 10, 30, 365], 10, 30)).toEqual([null, 0, 30, 365]);
  expect(await keptImports([null, 0, 1, 365], 400, 0)).toEqual([null, 0]);
  const { status, body } = await api.send('POST', '/api/imports?schema=thing&format=ndjson&retentionDays=366');
  expect([status, body.errors]).toEqual([400, ['retentionDays: must be a whole number from 0 to 365']]);
});

/** Batches that ask to be kept for some days, or do not, and finished so many days ago. @returns those that are still there. */
async function kept(
  asked: readonly (number | null)[],
  finishedDaysAgo: number,
  configuredDays: number,
): Promise<unknown[]> {
  const { database } = api.services;
  const ids = await Promise.all(
    asked.map(async (days) => {
      const query = days === null ? '' : `?retentionDays=${days}`;
      const { status, body } = await api.send('POST', `${PATH}${query}`, { resources: [{ externalId: 'a' }] });
      expect(status).toBe(202);
      return body.data.batchId as string;
    }),
  );
  const completedAt = new Date(Date.now() - finishedDaysAgo * DAY_MS - 1_000);
  await batchesIn(database).updateMany({ _id: { $in: ids } }, { $set: { status: 'success', completedAt } });
  const context = { database, retentionDays: configuredDays };
  // until nothing is left to expire, as recovery does
  for (let hasMore = true; hasMore; )
    hasMore = (await expireBatches.run({ context } as Parameters<typeof expireBatches.run>[0])).hasMore;
  const there = await Promise.all(ids.map((id) => api.send('GET', `/api/batches/${id}`)));
  return asked.filter((_, at) => there[at]?.status === 200);
}

test('a batch is kept as long as it has asked for, 0 for ever, and as the installation is configured otherwise', async () => {
  expect(await kept([null, 0, 1, 10, 30, 365], 10, 30)).toEqual([null, 0, 30, 365]);
  expect(await kept([null, 0, 1, 30, 365], 400, 0)).toEqual([null, 0]);
  expect(await kept([null, 0, 31], 30, 30)).toEqual([0, 31]);
});

test('the batch shows it; anything but 0 to 365 days is a 400', async () => {
  const { body } = await api.send('DELETE', `${PATH}?retentionDays=5`, { externalIds: ['a'] });
  expect((await api.send('GET', `/api/batches/${body.data.batchId}`)).body.data.options).toMatchObject({
    retentionDays: 5,
  });
  const fault = ['retentionDays: must be a whole number from 0 to 365'];
  for (const days of ['366', '-1', '1.5', 'no']) {
    expect((await api.send('PATCH', `${PATH}?retentionDays=${days}`, { resources: [{}] })).body.errors).toEqual(fault);
    expect((await api.send('DELETE', `${PATH}?retentionDays=${days}`, { deleteAll: true })).body.errors).toEqual(fault);
  }
});
