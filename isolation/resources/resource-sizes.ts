import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { KEYS_AT_ONCE, keyParts } from '../../store/mongodb/parts.ts';
import { resourcesIn } from '../../store/resources.ts';

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
