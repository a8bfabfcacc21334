import { isTerminal } from '../../domain/batch/batch.ts';
import { DAY_MS } from '../../domain/clocks.ts';
import { latestExecutionOf } from '../../services/batches/start-batch.ts';
import { deliverControl } from '../../services/imports/control-import.ts';
import { purgeImport } from '../../services/imports/purge-import.ts';
import { startImport } from '../../services/imports/start-import.ts';
import { markImportsExpired, nextImportRetention } from '../../store/imports/import-retention.ts';
import {
  breakOff,
  deletedImports,
  type ImportDocument,
  overdueImports,
  postponeImportStart,
  readImport,
  requestImportControl,
  runningImports,
  undeliveredImports,
  unstartedImports,
} from '../../store/imports/imports.ts';
import { importWorkflowId } from '../../workflows/imports/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import { forEachDocument, nextPage, PER_PORTION } from './each-document.ts';
import type { Portion, RecoveryJob } from './job.ts';

/** Time after which a failed start is tried again, in ms. */
const POSTPONED_MS = 10_000;
/** Longer than the time that the process which stores an import has for its start, in ms. */
const DUE_SOON_MS = 10_000;
const LOST = 'imports-lost';
const PURGED = 'imports-purged';

const forEachImport = (
  portion: Portion,
  imports: readonly ImportDocument[],
  what: string,
  act: (imported: ImportDocument) => Promise<boolean>,
): Promise<number> => forEachDocument(portion, imports, { what, about: ({ _id }) => ({ importId: _id }) }, act);

/** Starts imports that were stored, or claimed for a retry, and whose start is not confirmed (invariant 1). */
const startImports: RecoveryJob = {
  name: 'start-imports',
  everyMs: 2_000,
  run: async (portion) => {
    const { context } = portion;
    const asOf = new Date(Date.now() + (portion.isAtOnce ? DUE_SOON_MS : 0));
    const imports = await unstartedImports(context.database, asOf, PER_PORTION);
    const started = await forEachImport(portion, imports, 'starting an import', async (imported) => {
      await postponeImportStart(context.database, imported, new Date(Date.now() + POSTPONED_MS));
      await startImport(context, imported);
      return true;
    });
    return { recovered: { started }, hasMore: false };
  },
};

/** Cancels imports whose content will never be complete: their sender is gone, or has not sealed them in time. */
const endUnsealed: RecoveryJob = {
  name: 'unsealed-imports',
  everyMs: 10_000,
  run: async (portion) => {
    const { database } = portion.context;
    const imports = await overdueImports(database, new Date(), PER_PORTION);
    const finished = await forEachImport(portion, imports, 'ending an import that is not sealed', async (imported) => {
      const why = imported.upload === undefined ? 'it was not sealed in time' : 'its sender has gone';
      return (await breakOff(database, imported._id, why)) !== null;
    });
    return { recovered: { finished }, hasMore: finished === PER_PORTION };
  },
};

/** Delivers suspend, resume and cancel to workflows that have not confirmed them. */
const deliverToImports: RecoveryJob = {
  name: 'deliver-to-imports',
  everyMs: 5_000,
  run: async (portion) => {
    const imports = await undeliveredImports(portion.context.database, PER_PORTION);
    const started = imports.filter(({ unstarted }) => !unstarted);
    const delivered = await forEachImport(portion, started, 'delivering a control request', async (imported) => {
      await deliverControl(portion.context, imported);
      return true;
    });
    return { recovered: { delivered }, hasMore: false };
  },
};

/**
 * Starts lost workflows of imports again: everything that they know is stored. One that was terminated, or has failed because of a bug, is
 * started to cancel what is left.
 */
const restartLost: RecoveryJob = {
  name: LOST,
  everyMs: 20_000,
  run: async (portion) => {
    const { context, places } = portion;
    const imports = await runningImports(context.database, places.get(LOST) ?? '', PER_PORTION);
    const begun = imports.filter(({ unstarted }) => !unstarted);
    const started = await forEachImport(portion, begun, 'recovering an import', (imported) =>
      restart(context, imported),
    );
    return nextPage(portion, LOST, imports, { started });
  },
};

async function restart(context: ActivityContext, imported: ImportDocument): Promise<boolean> {
  const { client, database } = context;
  const execution = await latestExecutionOf(client, importWorkflowId(imported._id));
  if (execution?.isOpen) return false;
  // it may have finished since it was read
  const now = await readImport(database, imported._id);
  if (now === null || isTerminal(now.status) || now.run !== imported.run) return false;
  if (execution !== null && execution.run >= imported.run)
    await requestImportControl(database, imported._id, { cancelRequested: true });
  await startImport(context, imported);
  return true;
}

/** Marks finished imports as deleted after their retention, with their batches: that of the installation, or the one that they have asked for. */
const expireImports: RecoveryJob = {
  name: 'expire-imports',
  everyMs: 60_000,
  run: async ({ context: { database, retentionDays } }) => {
    const expire = (asked: number | null, days: number): Promise<number> =>
      markImportsExpired(database, asked, new Date(Date.now() - days * DAY_MS), PER_PORTION);
    let expired = retentionDays === 0 ? 0 : await expire(null, retentionDays);
    // 0 keeps an import for ever
    for (
      let days = await nextImportRetention(database, 0);
      days !== null;
      days = await nextImportRetention(database, days)
    )
      expired += await expire(days, days);
    return { recovered: {}, hasMore: expired > 0 };
  },
};

/** Removes deleted imports for good; another job removes their batches. */
const purgeImports: RecoveryJob = {
  name: PURGED,
  everyMs: 10_000,
  run: async (portion) => {
    const { context, places } = portion;
    const imports = await deletedImports(context.database, places.get(PURGED) ?? '', PER_PORTION);
    const purge = (imported: ImportDocument) => purgeImport(context, imported);
    const purged = await forEachImport(portion, imports, 'removing an import', purge);
    return nextPage(portion, PURGED, imports, { purged });
  },
};

/** What recovery does for imports, the most urgent first. */
export const IMPORT_JOBS: readonly RecoveryJob[] = [
  startImports,
  deliverToImports,
  endUnsealed,
  restartLost,
  expireImports,
  purgeImports,
];
