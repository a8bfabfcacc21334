import type { Attempt } from '../../isolation/attempts/attempt.ts';
import { type FoundForWriting, readForWriting } from '../../isolation/resources/read-for-writing.ts';
import type { WorkItem } from '../../services/writes/work-items.ts';
import type { ActivityContext } from '../activity-context.ts';

/** Reads the stored resources of some items, and those that they refer to. */
export async function checkResources(
  { database, checkpoint }: ActivityContext,
  attempt: Attempt,
  items: readonly WorkItem[],
): Promise<FoundForWriting> {
  const ownKeys = [...new Set(items.map((item) => item.key))];
  const targetKeys = new Set(items.flatMap((item) => item.references.map((reference) => reference.key)));
  const found = await readForWriting(database, attempt, ownKeys, targetKeys);
  await checkpoint?.('checked', items[0]?.batch._id ?? '');
  return found;
}
