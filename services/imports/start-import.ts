import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { fairness } from '../../domain/batch/fairness-key.ts';
import { DroverError } from '../../domain/errors.ts';
import { UNTIL_END_OF_IMPORT } from '../../domain/imports/import.ts';
import { confirmImportStart, type ImportDocument } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { IMPORT_WORKFLOW_TYPE, type ImportInput, importWorkflowId } from '../../workflows/imports/messages.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/messages.ts';
import { keyword, latestExecutionOf, type StartParts } from '../batches/start-batch.ts';

export interface StartImportParts extends StartParts {
  readonly database: Database;
  /** Batches of one import that run at a time. */
  readonly importWindow: number;
}

/**
 * Starts the workflow that runs an import, and confirms that. If it runs already, that counts as success.
 * @throws ServiceError if Temporal cannot be reached; DroverError `earlier_run_open` while the execution of the run before has not closed.
 */
export async function startImport(parts: StartImportParts, imported: ImportDocument): Promise<void> {
  const { client, taskQueue, activityTimeoutSeconds, importWindow, database } = parts;
  const { _id: importId, run, scope, platform, tenant, schemaName, options } = imported;
  const input: ImportInput = {
    importId,
    run,
    scope,
    schemaName,
    window: importWindow,
    activityTimeoutSeconds,
    waits: options.operation === 'upload' && options.dependencyWaitTimeout === UNTIL_END_OF_IMPORT,
  };
  const workflowId = importWorkflowId(importId);
  try {
    await client.workflow.start(IMPORT_WORKFLOW_TYPE, {
      taskQueue,
      workflowId,
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
        { key: keyword(SEARCH_ATTRIBUTES.schema), value: schemaName },
        { key: keyword(SEARCH_ATTRIBUTES.operation), value: 'import' },
      ]),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const latest = await latestExecutionOf(client, workflowId);
    if (latest === null || latest.run < run)
      throw new DroverError('earlier_run_open', `the run before ${run} of the import has not closed`);
  }
  await confirmImportStart(database, imported);
}
