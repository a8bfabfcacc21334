import type { Database } from './database.ts';

/** Removes what a delete batch has kept of its plan. Safe to repeat. */
export async function removeDeletionPlan(database: Database, batchId: string): Promise<void> {
  const prefix = { $gt: `${batchId}/`, $lt: `${batchId}0` };
  await database.resources.db.collection<{ _id: string }>('deletion_steps').deleteMany({ _id: prefix });
  await database.commits.deleteMany({ _id: prefix });
}
