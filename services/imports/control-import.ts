import { WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { isTerminal } from '../../domain/batch/batch.ts';
import { DroverError } from '../../domain/errors.ts';
import { markBatchesOfImport } from '../../store/imports/import-batches.ts';
import {
  claimImportRetry,
  type ImportDocument,
  markImportDeleted,
  readImport,
  requestImportControl,
} from '../../store/imports/imports.ts';
import { contentReceivedSignal, importControlSignal, importWorkflowId } from '../../workflows/imports/messages.ts';
import { isSignalLimit } from '../batches/signal-limit.ts';
import { isBeforeStart } from '../batches/start-time.ts';
import { classifyFailure } from '../failures.ts';
import { type StartImportParts, startImport, startImportInPlace } from './start-import.ts';

interface ControlParts extends StartImportParts {
  readonly logger: Logger;
  isTemporalThere(): Promise<boolean>;
  /** @throws if Temporal accepts no starts: then nothing is stored. */
  assertStarts(): Promise<void>;
}

/** Time for a call to Temporal, in ms; after that recovery does what it was for. */
const CALL_TIMEOUT_MS = 3_000;

export const IMPORT_CONTROLS = {
  suspend: { suspended: true },
  resume: { suspended: false },
  cancel: { cancelRequested: true },
} as const;

/**
 * Stores a control request of an import, which holds from then on: nothing is cut any more; then tells its workflow, which passes it on to
 * its batches. If Temporal is unavailable, recovery does that.
 * @throws DroverError `operation_not_allowed` on a finished import, unless it is to be cancelled and is.
 */
export async function controlImport(
  parts: ControlParts,
  imported: ImportDocument,
  verb: keyof typeof IMPORT_CONTROLS,
): Promise<ImportDocument> {
  const requested = await requestImportControl(parts.database, imported._id, IMPORT_CONTROLS[verb]);
  if (requested === null) {
    const now = (await readImport(parts.database, imported._id)) ?? imported;
    if (verb === 'cancel' && now.status === 'cancelled') return now;
    throw new DroverError('operation_not_allowed', `the import is finished (${now.status}) and cannot be changed`);
  }
  await orLater(parts, imported._id, () => deliverControl(parts, requested));
  return requested;
}

/** Tells the workflow of an import what is stored. One that is cancelled before its start time would get no signal. */
export const deliverControl = (parts: StartImportParts, imported: ImportDocument): Promise<void> =>
  imported.cancelRequested && isBeforeStart(imported)
    ? startImportInPlace(parts, imported)
    : signalControl(parts, imported._id);

/** Tells the workflow that what is stored has changed. Without effect if there is none: it begins by reading it. */
export function signalControl(parts: Pick<ControlParts, 'client'>, importId: string): Promise<void> {
  return unlessGone(() => parts.client.workflow.getHandle(importWorkflowId(importId)).signal(importControlSignal));
}

/** Tells the workflow that more content is stored. */
export function signalContent(parts: Pick<ControlParts, 'client'>, importId: string): Promise<void> {
  return unlessGone(() => parts.client.workflow.getHandle(importWorkflowId(importId)).signal(contentReceivedSignal));
}

async function unlessGone(signal: () => Promise<void>): Promise<void> {
  try {
    await signal();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError) && !isSignalLimit(error)) throw error;
  }
}

/** Calls Temporal; if it is unavailable, recovery repeats what the call is for. */
export async function orLater(
  { client, logger, isTemporalThere }: Pick<ControlParts, 'client' | 'logger' | 'isTemporalThere'>,
  importId: string,
  call: () => Promise<void>,
): Promise<void> {
  try {
    if (await isTemporalThere()) await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);
  } catch (error) {
    const isLater = error instanceof DroverError || classifyFailure(error).kind === 'outage';
    if (!isLater) throw error;
    logger.warn({ importId, err: error }, 'a call to Temporal about an import failed; recovery repeats it');
  }
}

/**
 * Runs what has not succeeded again, in a new run, and continues to cut what is not cut yet.
 * @throws DroverError `operation_not_allowed` on a running import, and where there is nothing to retry.
 */
export async function retryImport(parts: ControlParts, imported: ImportDocument): Promise<ImportDocument> {
  if (!isTerminal(imported.status))
    throw new DroverError('operation_not_allowed', 'the import is still running; only a finished one can be retried');
  if (imported.options.validateOnly)
    throw new DroverError('operation_not_allowed', 'what was only checked is not retried: import the rows again');
  if (imported.undoneBy !== undefined)
    throw new DroverError('operation_not_allowed', `the import was undone by bulk operation ${imported.undoneBy}`);
  if (!imported.sealed)
    throw new DroverError('operation_not_allowed', 'not all of its content was received: it can only be sent again');
  const counts = imported.result?.counts;
  const unsuccessful = counts === undefined ? 0 : counts.failed + counts.expired + counts.cancelled;
  if (unsuccessful === 0 && imported.cut.isAtEnd)
    throw new DroverError('operation_not_allowed', 'nothing to retry: no row is failed, expired or cancelled');
  await parts.assertStarts();
  const claimed = await claimImportRetry(parts.database, imported);
  if (claimed === null) throw new DroverError('operation_not_allowed', 'the import is being retried already');
  await orLater(parts, claimed._id, () => startImport(parts, claimed));
  return claimed;
}

/**
 * From here on neither the import nor its batches exist for callers, and nothing of them begins. Recovery removes them, their
 * content and their executions. @returns false if another caller has deleted it.
 */
export async function deleteImport(parts: ControlParts, imported: ImportDocument): Promise<boolean> {
  const marked = await markImportDeleted(parts.database, imported);
  if (marked === null) return false;
  await markBatchesOfImport(parts.database, imported._id);
  await orLater(parts, imported._id, () => signalControl(parts, imported._id));
  return true;
}
