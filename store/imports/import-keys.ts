import type { Collection } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteFound } from '../mongodb/each-by-id.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import { keyParts } from '../mongodb/parts.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';

/** A resource that a row of an import would create, for an import that is only checked. */
interface ImportKeyDocument {
  /** Import id/identity of the resource. */
  _id: string;
}

/** The collection `import_keys`. */
const importKeysIn = (database: Database): Collection<ImportKeyDocument> => database.collection('import_keys');

/** Every note. */
export const scanImportKeys = (database: Database): Scan<ImportKeyDocument> => scanOf(importKeysIn(database), {});

const keyId = (importId: string, key: ResourceKey): string => `${importId}/${key}`;

/** Notes resources that rows would create. Safe to repeat. */
export async function addImportKeys(database: Database, importId: string, keys: readonly ResourceKey[]): Promise<void> {
  for (const some of keyParts(new Set(keys))) {
    try {
      await importKeysIn(database).insertMany(
        some.map((key) => ({ _id: keyId(importId, key) })),
        { ordered: false },
      );
    } catch (error) {
      // the others of the command are inserted
      if (!isDuplicateKey(error)) throw error;
    }
  }
}

/** Of these resources those that a row of the import would create. */
export async function importKeysAmong(
  database: Database,
  importId: string,
  keys: readonly ResourceKey[],
): Promise<Set<ResourceKey>> {
  const found = new Set<ResourceKey>();
  for (const some of keyParts(keys)) {
    const ids = some.map((key) => keyId(importId, key));
    const documents = await importKeysIn(database)
      .find({ _id: { $in: ids } })
      .toArray();
    for (const { _id } of documents) found.add(_id.slice(importId.length + 1) as ResourceKey);
  }
  return found;
}

/** Removes all of them. Safe to repeat. */
export async function removeImportKeys(database: Database, importId: string): Promise<void> {
  await deleteFound(importKeysIn(database), { _id: { $gte: `${importId}/`, $lt: `${importId}0` } });
}
