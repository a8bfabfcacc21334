import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { NO_PLACEHOLDER, PLACEHOLDER, type ResourceDocument, resourcesIn } from '../../store/resources.ts';

/** What is stored under these identities, seen or not. */
export async function readResources(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<Map<ResourceKey, ResourceDocument>> {
  if (keys.length === 0) return new Map();
  const documents = await resourcesIn(database)
    .find({ _id: { $in: [...keys] }, hidden: NO_PLACEHOLDER })
    .toArray();
  return new Map(documents.map((document) => [document._id, document]));
}

/** The same for who is about to write there: placeholders too, as key -> fence. */
export async function readForWriting(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<{ stored: Map<ResourceKey, ResourceDocument>; fenced: Map<ResourceKey, string> }> {
  const stored = new Map<ResourceKey, ResourceDocument>();
  const fenced = new Map<ResourceKey, string>();
  if (keys.length === 0) return { stored, fenced };
  for await (const document of resourcesIn(database).find({ _id: { $in: [...keys] } })) {
    if (document.hidden === PLACEHOLDER) fenced.set(document._id, document.fence?.token ?? '');
    else stored.set(document._id, document);
  }
  return { stored, fenced };
}
