import { isTerminal } from '../../domain/batch/batch.ts';
import { batchStates } from '../../store/batches/scan-batches.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { resourcesIn } from '../../store/resources.ts';
import { hasStepsLeft } from '../deletes/deletion-steps.ts';
import { forgetGroups, groupsBefore } from './groups.ts';

/**
 * Removes some of the groups decided before `before`, whose decision nobody reads any more. Age alone does not say that: after a stop of days, or on a restored database,
 * an old group may still decide about marks, and about a step that is not done. @returns how many.
 */
export async function forgetOldGroups(database: Database, before: Date, limit: number): Promise<number> {
  const old = await groupsBefore(database, before, limit);
  const unneeded = await unneededGroups(database, old);
  await forgetGroups(database, unneeded);
  return unneeded.length;
}

/** Of these groups, those whose batch is over, or gone, with all its steps, and that no resource names. */
export async function unneededGroups(database: Database, groups: readonly string[]): Promise<string[]> {
  if (groups.length === 0) return [];
  const batches = await batchStates(database, groups.map(batchOf));
  const busy = new Set<string>();
  for (const batchId of new Set(groups.map(batchOf))) {
    const batch = batches.get(batchId);
    if ((batch !== undefined && !isTerminal(batch.status)) || (await hasStepsLeft(database, batchId)))
      busy.add(batchId);
  }
  const named = await namedGroups(database, groups);
  return groups.filter((group) => !busy.has(batchOf(group)) && !named.has(group));
}

/** The groups of a delete are named after its batch, others after the activity of an execution of its workflow. */
const batchOf = (group: string): string => group.slice(0, group.indexOf('/')).replace(/^batch-/, '');

/** Of these, the groups that a resource names: few are marked at any time. */
async function namedGroups(database: Database, groups: readonly string[]): Promise<Set<string>> {
  const among = { $in: [...groups] };
  const named = new Set<string>();
  for (const filter of [{ hidden: among }, { 'leaving.group': among }])
    for await (const { hidden, leaving } of resourcesIn(database).find(filter, {
      projection: { hidden: 1, leaving: 1 },
    }))
      for (const group of [hidden, leaving?.group]) if (group !== undefined) named.add(group);
  return named;
}
