import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { WriteEntry } from '../../store/resources.ts';
import { decideGroup } from '../groups/groups.ts';
import { readStored } from './visibility.ts';
import { makeVisible, removeUncommitted } from './write-resources.ts';

/** A write with the life of the resource. */
type RecordedWrite = Pick<WriteEntry, 'action' | 'version'> & { readonly life: string };

/**
 * The writes of a batch's items, according to the records of the resources: for the activity that finishes the batch when no other activity of it is
 * at work (invariant 2). Resources that a dead attempt of the batch has inserted uncommitted are resolved first: they
 * appear if their group is committed, and are removed if it is not.
 * @returns index of an item -> its effect.
 */
export async function recordedWrites(
  database: Database,
  batchId: string,
  items: readonly { readonly key: ResourceKey; readonly index: number }[],
): Promise<Map<number, RecordedWrite>> {
  const resources = await readStored(database, [...new Set(items.map(({ key }) => key))]);
  for (const { _id, hidden, writes } of [...resources.values()]) {
    if (hidden === undefined || writes.every((write) => write.batchId !== batchId)) continue;
    if ((await endUncommitted(database, hidden, _id)) === 'aborted') resources.delete(_id);
  }
  return new Map(
    items.flatMap(({ key, index }) => {
      const resource = resources.get(key);
      const entry = resource?.writes.find((write) => write.batchId === batchId && write.index === index);
      return entry && resource ? [[index, { ...entry, life: resource.id }] as const] : [];
    }),
  );
}

async function endUncommitted(database: Database, group: string, key: ResourceKey): Promise<'committed' | 'aborted'> {
  const { state } = await decideGroup(database, group, 'aborted');
  if (state === 'committed') await makeVisible(database, group, [key]);
  else await removeUncommitted(database, group, [key]);
  return state;
}
