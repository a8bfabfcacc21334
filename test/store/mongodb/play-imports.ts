import { expect, vi } from 'vitest';
import { recordCycle } from '../../../store/batches/run-state.ts';
import { recordAwaited, recordNextPass, withdrawBulkOperation } from '../../../store/bulk/bulk-operations.ts';
import { recordSuspendedByImport } from '../../../store/imports/import-batches.ts';
import { removeContent } from '../../../store/imports/import-content.ts';
import { markImportsExpired, nextImportRetention } from '../../../store/imports/import-retention.ts';
import {
  breakOff,
  deletedImports,
  nextBatchesAmong,
  overdueImports,
  postponeImportStart,
  recordFreed,
  recordUnappliedCycles,
  removeImport,
  runningImports,
  undeliveredImports,
  unstartedImports,
} from '../../../store/imports/imports.ts';
import { nextImportBatch } from '../../../store/imports/undone-imports.ts';
import { removePagesOfNone } from '../../../store/items/item-pages.ts';
import { readPendingById } from '../../../store/items/pending-items.ts';
import { ended, ndjson, opened, putPart, results, seal, send, started } from '../../end-to-end/imports/imports.ts';
import type { Drover } from '../../harness/drover.ts';

/** Every query about imports. @param schema one whose resources have a list of references `next` to each other. */
export async function playImports(drover: Drover, schema: string): Promise<void> {
  const failing = await started(
    drover,
    { schema },
    ndjson([{ externalId: 'i1', next: ['nowhere'] }, { externalId: 'i2' }]),
  );
  await ended(drover, failing);
  await drover.request('POST', `/api/imports/${failing}/retry`);
  await ended(drover, failing);
  await results(drover, failing, 'failed');
  for (const path of ['', '?limit=1', '?status=success', '?label=some', `/${failing}/batches?limit=1`])
    await drover.request('GET', `/api/imports${path}`);
  const inParts = await opened(drover, { schema });
  for (const verb of ['suspend', 'resume']) await drover.request('POST', `/api/imports/${inParts}/${verb}`);
  for (let n = 0; n < 2; n++) await putPart(drover, inParts, 1, ndjson([{ externalId: 'i3' }]));
  await putPart(drover, inParts, 3, ndjson([{ externalId: 'i3' }]));
  for (const method of ['GET', 'DELETE'] as const)
    await drover.request(method, `/api/imports/${inParts}/parts${method === 'GET' ? '' : '/3'}`);
  await seal(drover, inParts, 1);
  await ended(drover, inParts);
  const csv = await send(drover, { schema }, 'externalId\ni4\n', { 'content-type': 'text/csv' });
  await ended(drover, csv.body.data.importId);
  const rows = ndjson([{ externalId: 'i5', next: ['i6', 'nobody'] }, { externalId: 'i6' }]);
  await ended(drover, await started(drover, { schema, validateOnly: true }, rows));
  await drover.request('DELETE', `/api/imports/${failing}`);
  await playUndo(drover, schema);
  await playRareCases(drover);
}

/** An undo in two passes, and one that is cancelled. */
async function playUndo(drover: Drover, schema: string): Promise<void> {
  const undoable = await started(drover, { schema, undoable: true }, ndjson([{ externalId: 'i7' }]));
  await ended(drover, undoable);
  await drover.request('POST', `/api/imports/${undoable}/undo?dryRun=true`);
  const { body } = await drover.request<{ bulkOperationId: string }>('POST', `/api/imports/${undoable}/undo`);
  const path = `/api/bulk-operations/${body.data.bulkOperationId}`;
  await vi.waitFor(
    async () => expect((await drover.request<object>('GET', path)).body.data).toHaveProperty('completedAt'),
    { timeout: 30_000, interval: 100 },
  );
  await drover.request('POST', `${path}/cancel`);
  const { database } = drover.services;
  const nobody = {
    _id: 'nobody',
    undo: { importId: 'nobody', run: 1, after: [], isClaimed: true, pass: 1, at: null, left: 0, reverted: 0 },
  };
  await recordAwaited(database, nobody, { number: 1, run: 2, left: 1 });
  await recordNextPass(database, nobody);
  await nextImportBatch(database, 'nobody', 1, false);
  await withdrawBulkOperation(database, 'nobody');
}

/** What recovery asks, and what is sent only after a process has died. */
async function playRareCases({ services: { database } }: Drover): Promise<void> {
  const now = new Date();
  await breakOff(database, 'nobody', 'why');
  await deletedImports(database, '', 10);
  await markImportsExpired(database, null, new Date(0), 10);
  await nextImportRetention(database, 0);
  await nextBatchesAmong(database, ['nobody']);
  await overdueImports(database, now, 10);
  await unstartedImports(database, now, 10);
  await undeliveredImports(database, 10);
  await runningImports(database, '', 10);
  await postponeImportStart(database, { _id: 'nobody', run: 1 }, now);
  await recordFreed(database, 'nobody', { part: 1, chunk: 0 });
  await recordUnappliedCycles(database, { _id: 'nobody', run: 1 }, { isUnsearched: true });
  await recordSuspendedByImport(database, 'nobody', true);
  await readPendingById(database, ['nobody/0']);
  await recordCycle(database, { _id: 'nobody', run: 1 }, { id: 'list', parts: 1 });
  await removePagesOfNone(database, 'nobody');
  await removeContent(database, 'nobody');
  await removeImport(database, 'nobody');
}
