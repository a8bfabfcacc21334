import { setTimeout as sleep } from 'node:timers/promises';
import type { ImportView } from '../../services/imports/view-import.ts';
import { importWorkflowId } from '../../workflows/imports/messages.ts';
import { ended, ndjson, opened, putPart, seal, started, until } from '../end-to-end/imports/imports.ts';
import { Drover } from '../harness/drover.ts';
import { writeHistory } from '../harness/histories.ts';
import { startTemporalOfSmallHistories } from '../harness/small-histories.ts';

/** Events after which an execution continues as new: an import of some batches has two. */
const MAX_EVENTS = 60;

const rows = (n: number, prefix: string, twin?: string) =>
  Array.from({ length: n }, (_, at) => ({ externalId: `${prefix}-${at}`, ...(twin && { twin }) }));

/** Name of the file, import, and the run if it is not the latest. */
type Recorded = readonly (readonly [name: string, importId: string, runId?: string])[];

/** Runs some imports and writes the histories of their workflows to `test/histories`, replacing earlier ones. */
export async function recordImportHistories(): Promise<void> {
  const temporal = await startTemporalOfSmallHistories(MAX_EVENTS);
  const drover = await Drover.start({ environment: { TEMPORAL_ADDRESS: temporal.address, IMPORT_WINDOW: '2' } });
  await drover.define('city', { twin: { $ref: 'reach:schemas/city' } });
  try {
    for (const play of [playRetry, playControl, playCancellation, playContinuation]) {
      for (const [name, importId, runId] of await play(drover)) {
        const handle = drover.services.client.workflow.getHandle(importWorkflowId(importId), runId);
        writeHistory(name, await handle.fetchHistory());
      }
    }
  } finally {
    await drover.stop();
    await temporal.stop();
  }
}

const act = (drover: Drover, importId: string, verb: string) =>
  drover.request<ImportView>('POST', `/api/imports/${importId}/${verb}`);

const executionOf = (drover: Drover, importId: string) =>
  drover.services.client.workflow.getHandle(importWorkflowId(importId)).describe();

/** An import whose rows wait, are settled, and fail; and its retry, which waits again. */
async function playRetry(drover: Drover): Promise<Recorded> {
  const ring = [
    { externalId: 'ring-1', twin: 'ring-2' },
    ...rows(1_000, 'between'),
    { externalId: 'ring-2', twin: 'ring-1' },
  ];
  const importId = await started(drover, { schema: 'city' }, ndjson([...ring, ...rows(3, 'missing', 'later')]));
  await ended(drover, importId);
  const { runId } = await executionOf(drover, importId);
  await act(drover, importId, 'retry');
  await ended(drover, importId);
  return [
    ['import-settled', importId, runId],
    ['import-retried', importId],
  ];
}

async function playControl(drover: Drover): Promise<Recorded> {
  const importId = await opened(drover, { schema: 'city' });
  await until(drover, importId, ({ source }) => source === 'workflow');
  await act(drover, importId, 'suspend');
  await putPart(drover, importId, 1, ndjson(rows(20, 'suspended')));
  await until(drover, importId, ({ suspended, source }) => suspended && source === 'workflow');
  await act(drover, importId, 'resume');
  await until(drover, importId, ({ counts }) => counts.succeeded > 0);
  await seal(drover, importId, 1);
  await ended(drover, importId);
  return [['import-suspended', importId]];
}

async function playCancellation(drover: Drover): Promise<Recorded> {
  const importId = await opened(drover, { schema: 'city' });
  await putPart(drover, importId, 1, ndjson(rows(5, 'cancelled')));
  await until(drover, importId, ({ counts }) => counts.succeeded > 0);
  await drover.services.client.workflow.getHandle(importWorkflowId(importId)).cancel();
  await ended(drover, importId);
  return [['import-cancelled', importId]];
}

/** An import in many small parts, so that its execution continues as new while batches run and content arrives. */
async function playContinuation(drover: Drover): Promise<Recorded> {
  const importId = await opened(drover, { schema: 'city' });
  await until(drover, importId, ({ source }) => source === 'workflow');
  const { runId } = await executionOf(drover, importId);
  let parts = 0;
  while ((await executionOf(drover, importId)).runId === runId) {
    parts += 1;
    await putPart(drover, importId, parts, ndjson(rows(30, `part-${parts}`, parts === 1 ? 'part-2-1' : undefined)));
    await sleep(100);
  }
  await seal(drover, importId, parts);
  await ended(drover, importId);
  return [
    ['import-before-continue-as-new', importId, runId],
    ['import-after-continue-as-new', importId],
  ];
}
