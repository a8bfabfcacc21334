import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import { groupsIn } from '../groups/groups.ts';
import { groupOf, readStored, readTargets, visible } from './visibility.ts';

/** The identities of these that a reader sees. */
export async function presentKeys(database: Database, keys: readonly ResourceKey[]): Promise<ResourceKey[]> {
  const documents = [...(await readTargets(database, keys)).values()];
  return (await visible(database, documents)).map(({ _id }) => _id);
}

/** The resources of these identities that a reader sees, with their data. */
export async function seenResources(database: Database, keys: readonly ResourceKey[]): Promise<ResourceDocument[]> {
  return visible(database, [...(await readStored(database, keys)).values()]);
}

/** The identities of these that exist and stay, and those that a batch is creating or deleting right now. */
export async function checkTargets(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<{ present: ResourceKey[]; undecided: ResourceKey[] }> {
  const targets = [...(await readTargets(database, keys)).values()];
  const groups = [...new Set(targets.flatMap((target) => groupOf(target) ?? []))];
  const decided =
    groups.length === 0
      ? []
      : await groupsIn(database)
          .find({ _id: { $in: groups } })
          .toArray();
  const states = new Map(decided.map((group) => [group._id, group.state]));
  const present: ResourceKey[] = [];
  const undecided: ResourceKey[] = [];
  for (const target of targets) {
    const group = groupOf(target);
    const state = group === undefined ? undefined : states.get(group);
    if (group !== undefined && state === undefined) undecided.push(target._id);
    else if (group === undefined || (state === 'committed') === (target.hidden !== undefined)) present.push(target._id);
  }
  return { present, undecided };
}
