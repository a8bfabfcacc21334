import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { waitsForImport } from '../../domain/imports/import.ts';
import { confirmImportStart, type ImportDocument } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { IMPORT_WORKFLOW_TYPE, type ImportInput, importWorkflowId } from '../../workflows/imports/messages.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/messages.ts';
import { keyword, type StartParts, startRun } from '../batches/start-batch.ts';

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

async function tryToStart(
  { client, taskQueue, activityTimeoutSeconds, importWindow }: StartImportParts,
  imported: ImportDocument,
): Promise<boolean> {
  const { _id: importId, run, scope, platform, tenant, schemaName = SEVERAL, options } = imported;
  const input: ImportInput = {
    importId,
    run,
    scope,
    schemaName,
    window: importWindow,
    activityTimeoutSeconds,
    waits: waitsForImport(options),
  };
  try {
    await client.workflow.start(IMPORT_WORKFLOW_TYPE, {
      taskQueue,
      workflowId: importWorkflowId(importId),
      args: [input],
      // a retry follows a closed run, and so does the execution that takes the place of a lost one
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      priority: fairness({ scope, total: 0 }),
      memo: { run, activityTimeoutSeconds },
      staticSummary: `import of ${schemaName}`,
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
