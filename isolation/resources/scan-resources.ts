import { storedBytes } from '../../domain/json/stored.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { KEYS_PER_QUERY, keyParts } from '../../store/mongodb/parts.ts';
import type { Scan } from '../../store/mongodb/scan.ts';
import { type ResourceDocument, readResources, resourcesIn } from '../../store/resources.ts';

/** Resources, and bytes of them, that are read at a time. */
const RESOURCES_AT_ONCE = 250;
const BYTES_AT_ONCE = 8 * 1024 * 1024;

/** Every stored resource with its data, visible or not, and placeholders: for whoever checks what is stored. */
export const scanResources = (database: Database): Scan<ResourceDocument> => ({
  name: resourcesIn(database).collectionName,
  pages: () => pagesInOrder(database),
  again: (ids) => documentsOf(database, ids),
});

async function* pagesInOrder(database: Database): AsyncGenerator<ResourceDocument[]> {
  for (let after = ''; ; ) {
    const page: ResourceDocument[] = [];
    for await (const some of inPages(readResources(database, { _id: { $gt: after } }, NEXT))) {
      page.push(...some);
      break;
    }
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last._id;
  }
}

const NEXT = { sort: { _id: 1 }, limit: RESOURCES_AT_ONCE } as const;

async function* documentsOf(database: Database, ids: readonly ResourceKey[]): AsyncGenerator<ResourceDocument[]> {
  for (const some of keyParts(ids, KEYS_PER_QUERY))
    yield* inPages(readResources(database, { _id: { $in: some } }, { batchSize: RESOURCES_AT_ONCE }));
}

/** Parts of what is read, with bounded numbers of resources and bytes; one that is large alone is a part of its own. */
async function* inPages(documents: AsyncIterable<ResourceDocument>): AsyncGenerator<ResourceDocument[]> {
  let page: ResourceDocument[] = [];
  let bytes = 0;
  for await (const document of documents) {
    page.push(document);
    bytes += document.bytes ?? (document.data === undefined ? 0 : storedBytes(document.data));
    if (page.length < RESOURCES_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}
