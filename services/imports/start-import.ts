import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { DEFAULT_PRIORITY } from '../../domain/batch/about.ts';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { waitsForImport } from '../../domain/imports/import.ts';
import { confirmImportStart, type ImportDocument } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { IMPORT_WORKFLOW_TYPE, type ImportInput, importWorkflowId } from '../../workflows/imports/messages.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/messages.ts';
import { aboutMemo, keyword, labelled, type StartParts, startInPlace, startRun } from '../batches/start-batch.ts';
import { IN_PLACE, startDelay, startsLater } from '../batches/start-time.ts';

export interface StartImportParts extends StartParts {
  readonly database: Database;
  /** Batches of one import that run at a time. */
  readonly importWindow: number;
}

/**
 * Starts the workflow that runs an import, and confirms that. If it runs already, that counts as success.
 * @throws ServiceError if Temporal cannot be reached; DroverError `earlier_run_open` if the execution of the run before does not close.
 */
export async function startImport(parts: StartImportParts, imported: ImportDocument): Promise<void> {
  const about = { workflowId: importWorkflowId(imported._id), run: imported.run };
  await startRun(parts.client, about, () => tryToStart(parts, imported));
  await confirmImportStart(parts.database, imported);
}

/** What operators read of an import whose rows name their schema definitions. */
const SEVERAL = 'several schema definitions';
/** Starts the workflow of an import that waits for its start time at once: it is cancelled. */
export async function startImportInPlace(parts: StartImportParts, imported: ImportDocument): Promise<void> {
  const workflowId = importWorkflowId(imported._id);
  await startInPlace(parts.client, workflowId, () => tryToStart(parts, imported, IN_PLACE));
  await confirmImportStart(parts.database, imported);
}

/** A retry follows a closed run, and so does the execution that takes the place of a lost one. */
const ONCE = { workflowIdReusePolicy: 'ALLOW_DUPLICATE', workflowIdConflictPolicy: 'FAIL' } as const;

async function tryToStart(
  { client, taskQueue, activityTimeoutSeconds, importWindow }: StartImportParts,
  imported: ImportDocument,
  policies: typeof ONCE | typeof IN_PLACE = ONCE,
): Promise<boolean> {
  const { _id: importId, run, scope, platform, tenant, schemaName = SEVERAL, options, label, isForAll } = imported;
  // few and short tasks, which do not wait behind the batches that they feed
  const priority = Math.min(options.priority, DEFAULT_PRIORITY);
  const input: ImportInput = {
    importId,
    run,
    scope,
    schemaName,
    window: importWindow,
    activityTimeoutSeconds,
    priority,
    ...(isForAll && { isForAll }),
    ...(startsLater(imported) && { startAt: imported.startAt.getTime() }),
    waits: waitsForImport(options),
  };
  try {
    await client.workflow.start(IMPORT_WORKFLOW_TYPE, {
      taskQueue,
      workflowId: importWorkflowId(importId),
      args: [input],
      ...policies,
      priority: fairness({ scope, total: 0, priority, ...(isForAll && { isForAll }) }),
      ...(input.startAt !== undefined && startDelay(input.startAt)),
      memo: { run, activityTimeoutSeconds, ...aboutMemo({ ...imported, priority: options.priority }) },
      staticSummary: labelled(`import of ${schemaName}`, label),
      typedSearchAttributes: new TypedSearchAttributes([
        { key: keyword(SEARCH_ATTRIBUTES.platform), value: platform },
        { key: keyword(SEARCH_ATTRIBUTES.tenant), value: tenant },
        ...(imported.schemaName === undefined ? [] : [{ key: keyword(SEARCH_ATTRIBUTES.schema), value: schemaName }]),
        { key: keyword(SEARCH_ATTRIBUTES.operation), value: 'import' },
      ]),
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}
