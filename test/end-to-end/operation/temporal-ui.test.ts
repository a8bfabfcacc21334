import { defaultPayloadConverter, type SearchAttributes } from '@temporalio/common';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

/** The batch pages and lists of the Temporal UI, which are read without decoding and without Drover's API. */

/** A text in everything that callers send: bodies, and external ids. */
const PLANTED = 'planted-5c2e';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('parcel', {
    weight: { type: 'number' },
    note: { type: 'string' },
    to: { $ref: 'reach:schemas/parcel' },
  });
});
afterAll(() => drover.stop());

const handleOf = (id: string) => drover.services.client.workflow.getHandle(batchWorkflowId(id));
const tenant = (name: string): string => `${drover.services.taskQueue}-${name}`;
const waitingBatch = (externalId: string, options: { tenant: string }) =>
  drover.upload(
    'parcel',
    [
      { externalId: `${PLANTED}-${externalId}`, note: PLANTED, to: `${PLANTED}-missing` },
      { externalId: `${PLANTED}-bad`, note: 7, weight: PLANTED },
      { externalId: `${PLANTED}-good`, note: PLANTED },
    ],
    { dependencyWaitTimeout: 600 },
    options,
  );

/** Batches in the list of the Temporal UI under a filter. */
async function listed(query: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of drover.services.client.workflow.list({ query })) ids.push(workflowId);
  return ids.sort();
}

test('lists are filtered by tenant, schema, operation and status', async () => {
  const [red, blue] = [{ tenant: tenant('red') }, { tenant: tenant('blue') }];
  const waiting = await waitingBatch('r', red);
  const done = await drover.patch('parcel', [{ externalId: 'nobody' }], {}, red);
  const other = await waitingBatch('b', blue);
  await Promise.all([drover.ended(done, red), drover.waiting(other, blue), drover.waiting(waiting, red)]);
  const ofRed = `DroverPlatform = 'default' AND DroverTenant = '${red.tenant}' AND DroverSchema = 'parcel'`;
  const expectListed = (query: string, ids: readonly string[]) =>
    vi.waitFor(async () => expect(await listed(query)).toEqual(ids.map(batchWorkflowId).sort()), {
      timeout: 15_000,
      interval: 100,
    });
  await expectListed(ofRed, [waiting, done]);
  await expectListed(`${ofRed} AND DroverOperation = 'upload'`, [waiting]);
  await expectListed(`${ofRed} AND DroverStatus = 'waiting'`, [waiting]);
  await expectListed(`${ofRed} AND DroverStatus = 'failed' AND DroverOperation = 'patch'`, [done]);
  await drover.request('POST', `/api/batches/${waiting}/suspend`, red);
  await expectListed(`${ofRed} AND DroverStatus = 'suspended'`, [waiting]);
  await drover.request('POST', `/api/batches/${waiting}/resume`, red);
  await expectListed(`${ofRed} AND DroverStatus = 'waiting'`, [waiting]);
  await drover.request('POST', `/api/batches/${waiting}/cancel`, red);
  await expectListed(`${ofRed} AND DroverStatus = 'cancelled'`, [waiting]);
  await drover.request('POST', `/api/batches/${other}/cancel`, blue);
});

test('the page of a batch shows its progress and its deadlines, and nothing that callers sent', async () => {
  const options = { tenant: tenant('page') };
  const id = await waitingBatch('p', options);
  await drover.waiting(id, options);
  const handle = handleOf(id);
  const sleeps = async (): Promise<boolean> =>
    ((await handle.fetchHistory()).events ?? []).some((event) => event.timerStartedEventAttributes);
  await expect.poll(sleeps).toBe(true);
  await drover.request('POST', `/api/batches/${id}/suspend`, options);
  const currentDetails = async (): Promise<string> =>
    (await handle.query<{ currentDetails: string }, []>('__temporal_workflow_metadata')).currentDetails;
  await expect.poll(currentDetails).toContain('**upload** of 3 × `parcel`: **waiting**, suspended');
  const details = await currentDetails();
  expect(details).toContain('2 of 3 items finished');
  expect(details).toMatch(/- pending: 1\n/);
  expect(details).toMatch(/- error `validation`: 1\n/);
  expect(details).toMatch(/Pending items wait for missing references; the next deadline is \d{4}-/);
  await drover.request('POST', `/api/batches/${id}/resume`, options);
  await drover.ended(
    await drover.upload('parcel', [{ externalId: `${PLANTED}-missing`, note: PLANTED }], {}, options),
    options,
  );
  expect((await drover.ended(id, options)).counts.succeeded).toBe(2);

  const description = await handle.describe();
  expect(await description.staticSummary()).toBe('upload of 3 × parcel');
  expect(description.memo).toEqual({ run: 1, activityTimeoutSeconds: 5 });
  const events = (await handle.fetchHistory()).events ?? [];
  const summaries = events.flatMap(({ userMetadata }) =>
    userMetadata?.summary ? [defaultPayloadConverter.fromPayload<string>(userMetadata.summary)] : [],
  );
  const scheduled = events.filter(
    (event) => event.activityTaskScheduledEventAttributes || event.timerStartedEventAttributes,
  );
  expect(scheduled.length).toBeGreaterThan(5);
  expect(scheduled.filter(({ userMetadata }) => !userMetadata?.summary)).toEqual([]);
  expect(summaries).toContain('plan, apply and finish upload: 3 items of parcel');
  expect(summaries).toContain('check missing references of 1 pending item of parcel');
  expect(summaries).toContain('upload 1 pending item of parcel (index 0)');
  expect(summaries).toContain('store batch status: waiting');
  expect(summaries).toContain('deadline of 1 pending item');
  const shown = JSON.stringify([
    details,
    summaries,
    description.memo,
    description.searchAttributes satisfies SearchAttributes,
  ]);
  expect(shown).not.toContain(PLANTED);
});

test('no body is in a history, a query or a signal', async () => {
  const options = { tenant: tenant('bodies') };
  const note = 'body-of-a-resource-91d7';
  const id = await drover.upload(
    'parcel',
    [
      { externalId: 'one', note, to: 'later' },
      { externalId: 'two', note },
      { externalId: 'three', weight: note },
    ],
    { dependencyWaitTimeout: 600 },
    options,
  );
  await drover.waiting(id, options);
  await drover.ended(await drover.upload('parcel', [{ externalId: 'later', note }], {}, options), options);
  await drover.ended(id, options);
  const payloads = textsIn(await handleOf(id).fetchHistory());
  expect(payloads.some((text) => text.includes(id))).toBe(true);
  expect(payloads.filter((text) => text.includes(note))).toEqual([]);
});

/** Every text and the text of every payload in a history. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
