import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import type { Document } from 'mongodb';

/** Reads a whole collection. */
export type Find = (name: string) => Promise<Document[]>;

/** Collections that hold something of a batch, or of an import, under an `_id` that begins with its own. */
const PER_BATCH = ['batches', 'item_pages', 'outcome_pages', 'deletion_steps', 'import_chunks', 'import_parts'];

/** What is left of removed batches: documents and workflow executions, one line each. */
export async function leftOfRemoved(
  find: Find,
  {
    temporalAddress,
    removed,
  }: { readonly temporalAddress: string; readonly removed: readonly { readonly batchId: string }[] },
): Promise<string[]> {
  if (removed.length === 0) return [];
  const ids = new Set(removed.map(({ batchId }) => batchId));
  const documents = await Promise.all(
    PER_BATCH.map(async (name) =>
      (await find(name)).flatMap(({ _id, importId }) =>
        ids.has(String(_id).split('/')[0] ?? '') || ids.has(String(importId))
          ? [`${name} ${_id} of what was removed`]
          : [],
      ),
    ),
  );
  return [...documents.flat(), ...(await executionsOf(ids, temporalAddress))];
}

async function executionsOf(ids: ReadonlySet<string>, address: string): Promise<string[]> {
  const connection = Connection.lazy({ address });
  const client = new Client({ connection });
  const found: string[] = [];
  try {
    for (const id of ids) {
      try {
        const { runId, status } = await client.workflow.getHandle(`batch-${id}`).describe();
        found.push(`execution ${runId} (${status.name}) of batch ${id}, which was removed`);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    }
    return found;
  } finally {
    await connection.close();
  }
}
