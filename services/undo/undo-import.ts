import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { isTerminal } from '../../domain/batch/batch.ts';
import { DroverError } from '../../domain/errors.ts';
import {
  type ImportUndoDocument,
  insertBulkOperation,
  readBulkOperation,
  recordUndoClaimed,
  withdrawBulkOperation,
} from '../../store/bulk/bulk-operations.ts';
import { type ImportDocument, readImport } from '../../store/imports/imports.ts';
import { claimImportUndo, countUndoableBatches } from '../../store/imports/undone-imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { StartParts } from '../batches/start-batch.ts';
import { assertRoomForBulk, startBulkOrLeave, toBeStartedBulk } from '../bulk/start-bulk.ts';

/** Earlier undos of an import whose batches another one goes on with. */
const MAX_FOLLOWED = 100;

interface UndoImportParts extends StartParts {
  readonly database: Database;
  readonly logger: Logger;
  isTemporalThere(): Promise<boolean>;
  /** @throws if Temporal accepts no starts: then nothing is stored. */
  assertStarts(): Promise<void>;
}

/**
 * Starts the undo of an import: a bulk operation, whose workflow undoes its batches one after the other. The operation is stored first, and then claims the
 * import: one of several concurrent requests succeeds. If this process dies in between, recovery starts the operation, which claims the import itself.
 * @throws DroverError `operation_not_allowed` on an import that cannot be undone, or has been.
 */
export async function undoImport(
  parts: UndoImportParts,
  imported: ImportDocument,
  createdBy: string | undefined,
): Promise<ImportUndoDocument> {
  const { database } = parts;
  const { matched, after } = await undoableBatches(database, imported);
  await assertRoomForBulk(database, imported);
  await parts.assertStarts();
  const operation = toOperation(imported, createdBy, after);
  await insertBulkOperation(database, operation);
  const claimed = await claimForUndo(database, operation, matched);
  if (claimed === null) {
    await withdrawBulkOperation(database, operation._id);
    await undoableBatches(database, (await readImport(database, imported._id)) ?? imported);
    throw new DroverError('operation_not_allowed', 'the import has changed meanwhile and cannot be undone');
  }
  await startBulkOrLeave(parts, operation);
  return { ...operation, matched };
}

/** The import says that it is undone by this operation, which knows that; null if it has changed since. Safe to repeat. */
export async function claimForUndo(
  database: Database,
  { _id, undo }: Pick<ImportUndoDocument, '_id' | 'undo'>,
  matched: number,
): Promise<ImportDocument | null> {
  const claimed = await claimImportUndo(database, undo, _id);
  if (claimed !== null) await recordUndoClaimed(database, _id, matched);
  return claimed;
}

/** What there is to be undone of an import. */
interface Undoable {
  /** Batches. */
  readonly matched: number;
  /** Operations that have begun to undo it and did not succeed, the last one last. */
  readonly after: readonly string[];
}

/** @throws DroverError `operation_not_allowed` */
export async function undoableBatches(database: Database, imported: ImportDocument): Promise<Undoable> {
  const refused = (why: string): DroverError => new DroverError('operation_not_allowed', why);
  if (!isTerminal(imported.status)) throw refused('the import is still running; only a finished one can be undone');
  const after = await unsuccessfulUndos(database, imported.undoneBy);
  if (after === null) throw refused(`the import has been undone already, by bulk operation ${imported.undoneBy}`);
  if (!imported.options.undoable)
    throw refused(
      'what the import has changed is not kept: only an import that was started with undoable=true can be undone',
    );
  const batches = await countUndoableBatches(database, imported._id);
  if (batches === 0 && (imported.result?.batches ?? 0) > 0)
    throw refused('what the import has changed is no longer kept: its batches have been removed');
  return { matched: batches, after };
}

/** The undo that an import has had, and those before it, if it is over and did not succeed; null if it has succeeded, or runs. */
async function unsuccessfulUndos(database: Database, undoneBy: string | undefined): Promise<readonly string[] | null> {
  if (undoneBy === undefined) return [];
  const before = await readBulkOperation(database, undoneBy);
  // one that is kept no longer has ended long ago: how, nobody knows
  if (before?.completedAt === undefined || before.status === 'success') return null;
  return [...(before.undo?.after ?? []), undoneBy].slice(-MAX_FOLLOWED);
}

function toOperation(
  { _id: importId, run, scope, platform, tenant }: ImportDocument,
  createdBy: string | undefined,
  after: readonly string[],
): ImportUndoDocument {
  const createdAt = new Date();
  return {
    _id: uuidv7(),
    scope,
    scopes: [{ platform, tenant }],
    verb: 'undo',
    asked: { importId },
    filter: { importId },
    ...(createdBy !== undefined && { createdBy }),
    status: 'queued',
    matched: 0,
    selected: null,
    pages: 0,
    place: { page: 0, offset: 0 },
    done: 0,
    skipped: 0,
    failed: {},
    undo: { importId, run, after, isClaimed: false, pass: 1, at: null, left: 0, reverted: 0 },
    ...toBeStartedBulk(createdAt),
    createdAt,
  };
}
