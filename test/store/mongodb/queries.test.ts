import { writeFile } from 'node:fs/promises';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { noActions, noCounts } from '../../../domain/batch/outcome.ts';
import { fenceResources, fenceStored } from '../../../isolation/attempts/fences.ts';
import { remainingIntents } from '../../../isolation/deletes/deletion-marks.ts';
import { forgetGroupsOf } from '../../../isolation/deletes/step-groups.ts';
import { unneededGroups } from '../../../isolation/groups/forget-groups.ts';
import { committedGroups, decideGroup } from '../../../isolation/groups/groups.ts';
import { resolveMarks } from '../../../isolation/groups/resolve-marks.ts';
import { intentsOf, intentsOn, layIntent, removeIntents } from '../../../isolation/intents/intents.ts';
import { scanVertices } from '../../../isolation/resources/reference-graph.ts';
import { correctSizes } from '../../../isolation/resources/resource-sizes.ts';
import { removeUncommitted, unmarkForDeletion } from '../../../isolation/resources/write-resources.ts';
import { checkIntegrity } from '../../../services/integrity/check-integrity.ts';
import { batchesIn, readBatch } from '../../../store/batches/batches.ts';
import { readBinding } from '../../../store/batches/idempotency-keys.ts';
import { recordCountedAnew } from '../../../store/batches/run-state.ts';
import { postponeStart, stillOpen } from '../../../store/batches/to-recover.ts';
import { claimUndo } from '../../../store/batches/undone.ts';
import { withoutBatch } from '../../../store/batches/without-batch.ts';
import { markReferencesUnsettled, showDefinition } from '../../../store/definitions/schema-changes.ts';
import { missingChunk } from '../../../store/imports/import-content.ts';
import { recordImportSummedAnew } from '../../../store/imports/imports.ts';
import { removeSomeImages } from '../../../store/items/before-images.ts';
import { removePages } from '../../../store/items/item-pages.ts';
import { newList, readLists, removeListParts, storeLists } from '../../../store/items/key-lists.ts';
import { removeOutcomes, type StoredOutcome } from '../../../store/items/outcomes.ts';
import {
  claimedBy,
  claimPending,
  dropClaims,
  registerPending,
  releasePending,
  unclaimPending,
} from '../../../store/items/pending-items.ts';
import { requeueOutcomes } from '../../../store/items/requeue-outcomes.ts';
import { fenceOutcomes, writeOutcomes } from '../../../store/items/write-outcomes.ts';
import { moveNamespaceBatches } from '../../../store/migrations/namespace-batches.ts';
import { removeOrphanedPages } from '../../../store/migrations/orphaned-pages.ts';
import { convertTextResources } from '../../../store/migrations/text-resources.ts';
import { asAttempt } from '../../../store/mongodb/command-time.ts';
import { SupersededError } from '../../../store/mongodb/errors.ts';
import { type ResourceDocument, resourcesIn } from '../../../store/resources.ts';
import { Drover } from '../../harness/drover.ts';
import { acceptedUpload, recoverNow } from '../../harness/left-behind.ts';
import { CommandRecorder, functionsThatAsk, servedBy } from './command-recorder.ts';
import { playImports } from './play-imports.ts';
import { playBulkOperations, playWebhooks } from './play-webhooks.ts';
import recorded from './queries.json' with { type: 'json' };

/**
 * Every query that Drover sends, recorded in an ordinary run of all its functions, with the index that serves it (`queries.json`). A query that
 * no index serves fails here, and so does one that is not in the list: `RECORD_QUERIES=1` writes the list anew.
 */

const WAIT = { dependencyWaitTimeout: 600 };
const recorder = new CommandRecorder();

let drover: Drover;
beforeAll(async () => {
  recorder.start();
  const uri = inject('mongodbUri');
  const monitored = `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true`;
  drover = await Drover.start({ environment: { MONGODB_URI: monitored, RESOURCES_PER_ACTIVITY: '2' } });
  await playAll();
}, 240_000);
afterAll(async () => {
  recorder.stop();
  await drover.stop();
});

const get = async (path: string): Promise<unknown> => (await drover.request<unknown>('GET', path)).body.data;
const node = (externalId: string, ...next: string[]) => ({ externalId, next });

async function playAll(): Promise<void> {
  await drover.define('node', { next: { type: 'array', items: { $ref: 'reach:schemas/node' } } });
  await playWrites();
  await playWaits();
  await playDeletes();
  await playUndo();
  await playControl();
  await playLists();
  await playImports(drover, 'node');
  await playWebhooks(drover, 'node');
  await playBulkOperations(drover);
  await playTerminations();
  await playDefinitions();
  await playRecovery();
  await playIntegrity();
  await playRareCases();
}

async function playWrites(): Promise<void> {
  await drover.ended(await drover.upload('node', [node('a', 'b'), node('b', 'a'), node('c', 'a'), node('d', 'no')]));
  await drover.ended(await drover.upload('node', [node('a', 'c')]));
  await drover.ended(await drover.patch('node', [node('c', 'b'), node('none')]));
  const keyed = { headers: { 'idempotency-key': 'one' } };
  await drover.upload('node', [node('k')], {}, keyed);
  await drover.ended(await drover.upload('node', [node('k')], {}, keyed));
}

async function playWaits(): Promise<void> {
  const waiting = await drover.upload('node', [node('p', 'q')], WAIT);
  await drover.waiting(waiting);
  await drover.ended(await drover.upload('node', [node('q')]));
  await drover.ended(waiting);
  const first = await drover.upload('node', [node('r1', 'r2')], WAIT);
  await drover.waiting(first);
  for (const id of [first, await drover.upload('node', [node('r2', 'r1')], WAIT)]) await drover.ended(id);
  await drover.ended(await drover.upload('node', [node('e', 'never')], { dependencyWaitTimeout: 1 }));
  const cancelled = await drover.upload('node', [node('x', 'never')], WAIT);
  await drover.waiting(cancelled);
  await drover.request('POST', `/api/batches/${cancelled}/cancel`);
  await drover.ended(cancelled);
}

async function playDeletes(): Promise<void> {
  await drover.request('DELETE', '/api/resources/node/batch', {
    body: { externalIds: ['a'], cascade: true, dryRun: true },
  });
  await drover.request('DELETE', '/api/resources/node/batch', { body: { deleteAll: true, dryRun: true } });
  await drover.ended(await drover.delete('node', { externalIds: ['a', 'none'] }));
  await drover.ended(await drover.delete('node', { externalIds: ['q'], cascade: true }));
  await drover.ended(await drover.delete('node', { deleteAll: true }));
  await drover.ended(await drover.upload('node', [node('s', 't'), node('t')]));
}

/** An upload, and a delete with a cycle, are taken back; recovery accepts an undo whose claimant died. */
async function playUndo(): Promise<void> {
  const undoable = { undoable: true } as const;
  const undo = async (id: string) => {
    const { body } = await drover.request<{ batchId: string }>('POST', `/api/batches/${id}/undo`);
    await drover.ended((body.data as { batchId: string }).batchId);
  };
  const uploads = [node('ua', 'ub'), node('ub', 'ua'), node('s', 'ua')];
  const upload = await drover.upload('node', uploads, undoable);
  await drover.ended(upload);
  await undo(upload);
  await drover.ended(await drover.upload('node', uploads));
  const path = '/api/resources/node/batch/delete?undoable=true';
  const body = { externalIds: ['ua'], cascade: true };
  const deletion = (await drover.request<{ batchId: string }>('POST', path, { body })).body.data as { batchId: string };
  await drover.ended(deletion.batchId);
  await undo(deletion.batchId);
  const left = await drover.upload('node', [node('left')], undoable);
  await drover.ended(left);
  const { database } = drover.services;
  const claimed = await claimUndo(database, (await readBatch(database, left)) ?? expect.fail(), uuidv7());
  expect(claimed?.undoUnaccepted).toBe(true);
  await recoverNow(drover);
  await drover.ended(claimed?.undoneBy ?? '');
  await drover.request('DELETE', `/api/batches/${deletion.batchId}`);
}

async function playControl(): Promise<void> {
  const id = await drover.upload('node', [node('w', 'later')], WAIT);
  await drover.waiting(id);
  for (const verb of ['suspend', 'resume', 'cancel']) await drover.request('POST', `/api/batches/${id}/${verb}`);
  await drover.ended(id);
  await drover.ended(await drover.upload('node', [node('later')]));
  await drover.request('POST', `/api/batches/${id}/retry`);
  await drover.ended(id);
  await drover.request('DELETE', `/api/batches/${id}`);
}

async function playLists(): Promise<void> {
  const page = (await get('/api/batches?limit=2')) as {
    pagination: { cursor: string };
    results: { batchId: string }[];
  };
  await get(`/api/batches?limit=2&cursor=${page.pagination.cursor}`);
  for (const filter of [
    'status=success',
    'status=failed,waiting',
    'schema=node',
    'batchType=PARTNER_RESOURCE_JSON_INGEST',
    'label=none',
    'createdBy=nobody',
    `importId=${crypto.randomUUID()}`,
    'createdAfter=2020-01-01&createdBefore=2100-01-01T00:00:00Z',
    'createdAfter=2020-01-01&sortBy=createdAt',
    'externalId=a',
    'externalId=a&createdAfter=2020-01-01&createdBefore=2100-01-01&sortBy=createdAt',
  ])
    await get(`/api/batches?${filter}`);
  await get('/api/throughput');
  await get('/api/batches?status=failed&schema=node&batchType=PARTNER_RESOURCE_JSON_INGEST&sortBy=createdAt');
  await get(`/api/batches/${page.results[0]?.batchId}/items?status=succeeded`);
  for (const path of ['/api/resources/node', '/partner/schema-definitions']) {
    const { pagination } = (await get(`${path}?limit=1`)) as { pagination: { cursor: string | null } };
    await get(`${path}?limit=1&cursor=${pagination.cursor ?? ''}`);
  }
  await get('/api/resources/node/t');
  await get('/api/resources/node/s?include=next');
  await get('/api/resources/node/t/references?limit=1');
  await (await drover.app.request('/api/resources/node', { headers: { accept: 'text/csv' } })).text();
}

async function playTerminations(): Promise<void> {
  const send = async (method: string, path: string, body?: object): Promise<Response> =>
    drover.app.request(`/engine-rest${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  const { id } = (await (
    await send('POST', '/process-instance/delete', { processInstanceIds: ['nobody'] })
  ).json()) as { id: string };
  await drover.until(id, ({ completedAt }) => completedAt !== undefined, {}).catch(() => undefined);
  const since = encodeURIComponent('2020-01-01T00:00:00.000+0000');
  for (const list of ['/batch', '/batch/statistics', '/history/batch']) {
    await send('GET', `${list}/count`);
    for (const query of [
      '',
      `?batchId=${id}`,
      '?withFailures=true',
      '?withoutFailures=true&suspended=false',
      `?startedAfter=${since}`,
      '?completed=true',
      '?completed=false',
      '?sortBy=batchId&sortOrder=desc',
      '?sortBy=tenantId&sortOrder=asc',
      '?sortBy=startTime&sortOrder=desc',
      '?sortBy=endTime&sortOrder=asc&maxResults=5&firstResult=1',
    ])
      await send('GET', `${list}${query}`);
  }
  await send('DELETE', `/batch/${id}`);
}

async function playDefinitions(): Promise<void> {
  const id = await drover.define('side', { to: { $ref: 'reach:schemas/late' }, n: { type: 'string' } });
  await drover.ended(await drover.upload('side', [{ externalId: 'a', n: 'b' }]));
  const properties = { to: { $ref: 'reach:schemas/late' }, n: { $ref: 'reach:schemas/side' } };
  await drover.request('PUT', `/partner/schema-definitions/${id}`, {
    body: { schema: { type: 'object', properties } },
  });
  await drover.ended(await drover.upload('side', [{ externalId: 'b' }]));
  await drover.request('PUT', `/partner/schema-definitions/${id}`, {
    body: { schema: { type: 'object', properties } },
  });
  await drover.define('late', {});
  await drover.request('DELETE', '/partner/schema-definitions/late');
  await drover.request('DELETE', `/partner/schema-definitions/${id}`);
  await drover.ended(await drover.delete('side', { deleteAll: true }));
  await drover.request('DELETE', `/partner/schema-definitions/${id}`);
  await drover.request('POST', '/partner/schema-definitions', { body: { name: 'node', schema: { type: 'object' } } });
}

async function playRecovery(): Promise<void> {
  const left = await acceptedUpload(drover, 'node', [{ externalId: 'left' }]);
  const batches = batchesIn(drover.services.database);
  await batches.updateMany({ unstarted: true }, { $set: { startDue: new Date(0) } });
  await recoverNow(drover);
  await drover.ended(left);
  await recoverNow(drover);
}

/** The check of everything that is stored, and its repairs. */
async function playIntegrity(): Promise<void> {
  const { database } = drover.services;
  const waiting = await drover.upload('node', [node('y', 'never')], WAIT);
  await drover.waiting(waiting);
  for await (const step of checkIntegrity(drover.services, { settleMs: 0, repair: true }))
    expect(step).toHaveProperty('checked');
  await correctSizes(database, [{ _id: 'nobody', id: 'life', version: 1, data: {} } as ResourceDocument]);
  expect(await withoutBatch(database, ['nobody'])).toEqual(new Set(['nobody']));
  expect(await unneededGroups(database, ['nobody/1/1/group'])).toEqual(['nobody/1/1/group']);
  await markReferencesUnsettled(database, 'nobody');
  const summed = { counts: noCounts(), actions: noActions(), errorCodes: {} };
  const counted = { _id: 'nobody', run: 1, status: 'failed', completedAt: new Date() } as const;
  await recordCountedAnew(database, counted, 'success', summed);
  await dropClaims(database, [{ _id: 'nobody/0', claim: 'nobody' }]);
  expect(await missingChunk(database, { importId: 'nobody', part: 1, upload: 'none' }, 0, 1)).toBe(0);
  for (const remove of [removeListParts, removeSomeImages, removePages, removeOutcomes])
    await remove(database, ['nobody/0']);
}

/** Queries that are sent only after a process has died, two have met, or an earlier version has left something. */
async function playRareCases(): Promise<void> {
  const { database } = drover.services;
  const [key, group, batchId] = ['default/default/x/y', 'group', 'batch'];
  const member = { key, batchId, index: 0 };
  await playConversion();
  await moveNamespaceBatches(database);
  await removeOrphanedPages(database, new Date(Date.now() + 60_000));
  await postponeStart(database, { _id: batchId, run: 1 }, new Date());
  await stillOpen(database, [batchId]);
  const summed = { counts: noCounts(), actions: noActions(), errorCodes: {}, batches: 0 };
  await recordImportSummedAnew(database, { _id: batchId, run: 1, status: 'failed' }, 'success', summed);
  for (const state of ['aborted', 'committed'] as const) await decideGroup(database, group, state);
  await committedGroups(database, [group]);
  const uncommitted = { _id: key, id: 'life', hidden: group, updatedAt: new Date() };
  await resolveMarks(database, { isOfEarlierAttempt: () => false }, [uncommitted]);
  await readBinding(database, 'key');
  await layIntent(database, { id: 'activity/2', batchId, schemaDefinitionIds: [], targets: [key] });
  expect(await intentsOn(database, [key])).toEqual([]);
  await remainingIntents(database, new Set(['activity/2#0']));
  await requeueOutcomes(
    database,
    { _id: batchId, operation: 'upload', pageSize: 50, run: 1 },
    new Map([[0, { status: 'failed', errors: [], attempts: 1 }]]),
  );
  const writer = { _id: batchId, run: 1, pageSize: 50, total: 1 };
  // the second time the page exists
  const ends: StoredOutcome[] = [
    { status: 'succeeded', action: 'created', attempts: 1 },
    { status: 'failed', errors: [], attempts: 1 },
  ];
  for (const outcome of ends) await writeOutcomes(database, writer, new Map([[0, outcome]]), true);
  await playAttempts();
  for await (const page of scanVertices(database, { platform: 'default', tenant: 'default' }))
    expect(page).not.toEqual([]);
  await removeUncommitted(database, group, [key]);
  await unmarkForDeletion(database, group, [key]);
  await showDefinition(database, { definitionId: 'definition', change: 'change', leaseUntil: new Date() });
  const claimer = { _id: 'claimer', run: 2 };
  await claimPending(database, claimer, [member]);
  await claimedBy(database, claimer);
  await unclaimPending(database, claimer, [member]);
  // the second time a later run has begun
  for (const run of [2, 1])
    await registerPending(database, { _id: 'later', run }, 'token', [{ key, index: 0, missing: [key] }]);
  const many = newList(`${batchId}/0`, [key]);
  await storeLists(database, [many]);
  await readLists(database, [{ keys: [], list: many.list }]);
}

/** A resource of an earlier version, whose data is text. */
async function playConversion(): Promise<void> {
  const { database } = drover.services;
  const resources = resourcesIn(database);
  const { schemaDefinitionId } = (await get('/api/resources/node/s')) as { schemaDefinitionId: string };
  const [_id, data] = [`default/default/${schemaDefinitionId}/s`, '{"externalId":"s","next":["t"]}' as never];
  expect((await resources.updateOne({ _id }, { $set: { data } })).matchedCount).toBe(1);
  for await (const { converted } of convertTextResources(database)) expect(converted).toBe(1);
}

/** A second attempt takes over from a first one, which is late. */
async function playAttempts(): Promise<void> {
  const { database } = drover.services;
  const batch = { _id: 'fenced', run: 1, pageSize: 50, total: 1 };
  const key = 'default/default/x/fenced';
  const attempt = (number: number) => ({
    activity: 'activity',
    since: number,
    commandTimeMs: () => 5_000,
    begun: () => 0,
    cursorTimeMs: () => 5_000,
    now: () => new Date(),
  });
  await layIntent(database, { id: 'activity/1', batchId: batch._id, schemaDefinitionIds: [], targets: [key] });
  await asAttempt(attempt(2), async () => {
    await fenceResources(database, 'second', [key]);
    await fenceStored(database, 'second', [key]);
    await fenceOutcomes(database, batch, [0]);
    await removeIntents(database, await intentsOf(database, 'activity'));
  });
  const late = asAttempt(attempt(1), () =>
    writeOutcomes(database, batch, new Map([[0, { status: 'failed', errors: [], attempts: 1 }]])),
  );
  await expect(late).rejects.toThrow(SupersededError);
  await forgetGroupsOf(database, 'step', ['group']);
  await registerPending(database, batch, 'token', [{ key, index: 0, missing: [key] }]);
  await claimPending(database, { _id: 'nobody', run: 1 }, [{ key, batchId: batch._id, index: 0 }]);
  expect(await releasePending(database, batch, [{ key, index: 0 }])).toEqual(new Set());
}

/** Why few documents are compared for the fields that an index leaves open, or as few as are returned. */
const REASONS: Readonly<Record<string, string>> = {
  undoneBy: 'undos whose claimant has died are few',
  inserted: 'a batch has one key',
  deletedAt: 'deleted batches are removed within minutes; counts end at 10,001',
  scope: 'what refers to a resource is of its tenant',
  references: 'marked resources are those that are being written or deleted now',
  schemaDefinitionId: 'marked resources are those that are being written or deleted now',
  importId: 'finished batches of imports are removed with them, and imports are kept no longer than other batches',
  label: 'a second filter of a list; counts end at 10,001',
  operation: 'a second filter of a list; counts end at 10,001, pages after their limit in most cases',
  status: 'a second filter of a list; counts end at 10,001, pages after their limit in most cases',
  suspended: 'a filter on terminations of one tenant, which are few',
  cancelRequested: 'a filter on terminations of one tenant, which are few',
  dismissedAt: 'a filter on terminations of one tenant, which are few',
  hasFailedItems: 'a filter on terminations of one tenant, which are few',
  createdAt: 'a filter on terminations of one tenant, which are few',
  'options.reach': 'terminations of one tenant, once at a start',
  'fence.at': 'placeholders are left by attempts that died, for an hour',
  dueAt: 'messages to one webhook that are pending; the first one that is due ends the search',
  disabledAt: 'a tenant has at most 100 webhooks',
  active: 'definitions whose references are unsettled are few',
  changing: 'definitions whose references are unsettled are few',
  'changing.leaseUntil': 'definitions whose references are unsettled are few',
  run: 'what waits of a batch is of one run, but where one that has ended is late',
  _id: 'the definition itself, among those that refer to it',
};

test('every function of the store that sends a command to MongoDB was recorded', () => {
  const missing = functionsThatAsk().filter((name) => !recorder.functions.has(name));
  expect(missing).toEqual([]);
});

const heard = (): Record<string, string | null> =>
  Object.fromEntries([...recorder.queries].map(([shape, query]) => [shape, servedBy(query)] as const).sort());

test('every query is served by an index', () => {
  expect(Object.entries(heard()).filter(([, service]) => service === null)).toEqual([]);
});

test('every query is in the list, with its index', async () => {
  if (process.env.RECORD_QUERIES === '1') {
    // queries of races are not recorded in every run: existing lines stay
    const all = Object.entries({ ...recorded, ...heard() }).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = JSON.stringify(Object.fromEntries(all), null, 2);
    await writeFile(new URL('queries.json', import.meta.url), `${text}\n`);
    return;
  }
  const list: Readonly<Record<string, string>> = recorded;
  const unlisted = Object.entries(heard()).filter(([shape, service]) => list[shape] !== service);
  expect(unlisted, 'check these, then RECORD_QUERIES=1 npx vitest run test/store/mongodb/queries.test.ts').toEqual([]);
});

test('for every field that an index leaves open there is a reason why few documents are compared', () => {
  const open = Object.values(heard()).flatMap((service) => service?.split(', then ')[1]?.split(', ') ?? []);
  expect([...new Set(open)].filter((field) => REASONS[field] === undefined)).toEqual([]);
});
