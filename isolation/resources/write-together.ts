import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import { decideGroup, forgetGroups } from '../groups/groups.ts';
import { insertResources, makeVisible } from './write-resources.ts';

/**
 * Inserts new resources that refer to each other so that readers see all of them from one moment on (invariant 3): first uncommitted
 * ones, then the commit document of their group, then each is made visible.
 * @param group named after this attempt only: an attempt that tries again begins with another name.
 * @returns `taken` if another worker has inserted one of them, `aborted` if another attempt has aborted the group.
 */
export async function insertTogether(
  database: Database,
  group: string,
  documents: readonly ResourceDocument[],
  fenced: ReadonlyMap<ResourceKey, string>,
): Promise<'committed' | 'taken' | 'aborted'> {
  // All writers insert in the same order, so of two that insert the same members the second leaves none behind.
  const ordered = [...documents].sort((a, b) => (a._id < b._id ? -1 : 1));
  const uncommitted = ordered.map((document) => ({ ...document, hidden: group }));
  if (!(await insertResources(database, uncommitted, fenced))) return 'taken';
  const { state } = await decideGroup(database, group, 'committed');
  if (state === 'aborted') return 'aborted';
  await makeVisible(
    database,
    group,
    ordered.map(({ _id }) => _id),
  );
  await forgetGroups(database, [group]);
  return 'committed';
}
