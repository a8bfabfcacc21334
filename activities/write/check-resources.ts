import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Attempt } from '../../isolation/attempts/attempt.ts';
import { resolveMarks } from '../../isolation/groups/resolve-marks.ts';
import { readForWriting } from '../../isolation/resources/read-for-writing.ts';
import { type MarkedDocument, readTargets } from '../../isolation/resources/visibility.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import type { ActivityContext } from '../activity-context.ts';
import type { WorkItem } from './work-items.ts';

/** What is stored under the keys of some items, and under what they refer to. */
export interface Look {
  readonly own: ReadonlyMap<ResourceKey, ResourceDocument>;
  /** Keys whose resource readers see and that nobody is deleting. */
  readonly present: ReadonlySet<ResourceKey>;
  /** Keys of items that a placeholder holds -> its fence. */
  readonly fenced: ReadonlyMap<ResourceKey, string>;
  /** Keys that somebody else is creating or deleting right now. */
  readonly unsettled: ReadonlySet<ResourceKey>;
}

/** Looks once; what others have left half done is brought to its end on the way. */
export async function checkResources(
  { database, checkpoint }: ActivityContext,
  attempt: Attempt,
  items: readonly WorkItem[],
): Promise<Look> {
  const ownKeys = [...new Set(items.map((item) => item.key))];
  const known = new Set(ownKeys);
  const targetKeys = [...new Set(items.flatMap((item) => item.references.map((reference) => reference.key)))];
  for (;;) {
    const [own, others] = await Promise.all([
      readForWriting(database, ownKeys),
      readTargets(
        database,
        targetKeys.filter((key) => !known.has(key)),
      ),
    ]);
    const documents: MarkedDocument[] = [...own.stored.values(), ...others.values()];
    const { undecided, changed } = await resolveMarks(database, attempt, documents);
    if (changed) continue;
    await checkpoint?.('checked', items[0]?.batch._id ?? '');
    return {
      own: own.stored,
      fenced: own.fenced,
      present: new Set(documents.flatMap((document) => (undecided.has(document._id) ? [] : [document._id]))),
      unsettled: undecided,
    };
  }
}
