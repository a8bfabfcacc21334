import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ImportView } from '../../../services/imports/view-import.ts';
import { Drover, spawnWorker } from '../../harness/drover.ts';
import { recoverNow } from '../../harness/left-behind.ts';
import { ended, isOver, ndjson, opened, results, started, until } from './imports.ts';

/** A killed worker's activities continue after their time limit. */
const TIMEOUT_MS = 180_000;

let drover: Drover;
beforeEach(async () => {
  drover = await Drover.start({ worker: false });
  await drover.define('city', { name: { type: 'string' }, twin: { $ref: 'reach:schemas/city' } });
});
afterEach(() => drover.stop());

const rows = (n: number) =>
  Array.from({ length: n }, (_, at) => ({ externalId: `row-${at}`, ...(at % 3 === 0 && { twin: `row-${n - 1}` }) }));

test.each(['cut-noted', 'cut-inserted'] as const)(
  'a worker that is killed at %s loses no row and makes no batch twice',
  async (checkpoint) => {
    const killed = await spawnWorker(drover, { checkpoint, nth: 2 });
    const importId = await started(drover, { schema: 'city' }, ndjson(rows(3500)));
    await killed.ended;
    await drover.startWorker();
    expect(await ended(drover, importId, TIMEOUT_MS)).toMatchObject({
      status: 'success',
      batches: { total: 4 },
      counts: { succeeded: 3500 },
    });
    const { rows: all } = await results(drover, importId);
    expect(all.map(({ line, action }) => [line, action])).toEqual(rows(3500).map((_, at) => [at + 1, 'created']));
    const stored = await drover.services.database.collection('batches').countDocuments({ importId });
    expect(stored).toBe(4);
  },
  TIMEOUT_MS,
);

/** Runs recovery until an import is over: visibility lags, and each pass does what is due by then. */
async function recoveredToItsEnd(importId: string): Promise<ImportView> {
  return vi.waitFor(
    async () => {
      await recoverNow(drover);
      return until(drover, importId, isOver, 2_000);
    },
    { timeout: 60_000, interval: 200 },
  );
}

test(
  'an import whose workflow is lost is started again by recovery, and loses no row',
  async () => {
    const importId = await started(drover, { schema: 'city' }, ndjson(rows(10)));
    const { client } = drover.services;
    await client.workflow.getHandle(`import-${importId}`).terminate('lost');
    await client.workflowService.deleteWorkflowExecution({
      namespace: client.options.namespace,
      workflowExecution: { workflowId: `import-${importId}` },
    });
    await drover.startWorker();
    const gone = () =>
      client.workflow
        .getHandle(`import-${importId}`)
        .describe()
        .then(
          () => false,
          () => true,
        );
    await expect.poll(gone, { timeout: 30_000 }).toBe(true);
    expect(await recoveredToItsEnd(importId)).toMatchObject({ status: 'success', counts: { succeeded: 10 } });
  },
  TIMEOUT_MS,
);

test(
  'an import whose workflow was terminated is cancelled, with its batches',
  async () => {
    await drover.startWorker();
    const importId = await opened(drover, { schema: 'city' });
    await until(drover, importId, ({ source }) => source === 'workflow');
    await drover.services.client.workflow.getHandle(`import-${importId}`).terminate('by an operator');
    expect(await recoveredToItsEnd(importId)).toMatchObject({ status: 'cancelled' });
  },
  TIMEOUT_MS,
);

test(
  'an import whose sender has died is cancelled by recovery, and so is one that is never sealed',
  async () => {
    const imports = drover.services.database.collection<{ _id: string }>('imports');
    const [streamed, inParts] = [await opened(drover, { schema: 'city' }), await opened(drover, { schema: 'city' })];
    // as they are a minute after the last sign of the process that received one, and a day after the other was opened
    const sealDue = new Date(Date.now() - 1);
    await imports.updateOne({ _id: streamed }, { $set: { upload: 'one request', sealDue } });
    await imports.updateOne({ _id: inParts }, { $set: { sealDue } });
    await drover.startWorker();
    expect(await recoveredToItsEnd(streamed)).toMatchObject({ status: 'cancelled', brokenOff: 'its sender has gone' });
    expect(await recoveredToItsEnd(inParts)).toMatchObject({
      status: 'cancelled',
      brokenOff: 'it was not sealed in time',
    });
  },
  TIMEOUT_MS,
);
