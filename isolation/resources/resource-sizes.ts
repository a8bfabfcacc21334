import { storedBytes } from '../../domain/json/stored.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { KEYS_AT_ONCE, keyParts } from '../../store/mongodb/parts.ts';
import { type ResourceDocument, resourcesIn } from '../../store/resources.ts';

/** Approximate number of stored resources, of all tenants. */
export async function estimatedResources(database: Database): Promise<number> {
  return resourcesIn(database).estimatedDocumentCount();
}

/** Of these identities those whose resource is larger than `bytes`, with its size. */
export async function heavyResources(
  database: Database,
  keys: Iterable<ResourceKey>,
  bytes: number,
): Promise<Map<ResourceKey, number>> {
  const heavy = new Map<ResourceKey, number>();
  for (const some of keyParts(keys, KEYS_AT_ONCE)) {
    const filter = { _id: { $in: some }, bytes: { $gt: bytes } };
    for await (const document of resourcesIn(database).find(filter, { projection: { bytes: 1 } }))
      heavy.set(document._id, document.bytes ?? 0);
  }
  return heavy;
}

/** Notes the sizes that resources have. One that has been written since it was read has its size from that. */
export async function correctSizes(database: Database, resources: readonly ResourceDocument[]): Promise<void> {
  for (const { _id, id, version, data } of resources)
    await resourcesIn(database).updateOne({ _id, id, version }, { $set: { bytes: storedBytes(data) } });
}
