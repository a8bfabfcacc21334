import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import { readStored } from './visibility.ts';
import { areSameKeys, replaceReferences } from './write-resources.ts';

/**
 * Adapts the stored references of resources to a change of their schema definition. A resource that was written since
 * it was read has new references and keeps them; one that another attempt has put a fence on is read and written again.
 */
export async function rewriteReferences(
  database: Database,
  documents: readonly ResourceDocument[],
  referencesOf: (document: ResourceDocument) => ResourceKey[],
): Promise<void> {
  for (let left = documents; ; ) {
    const rewrites = left
      .map((document) => ({ of: document, references: referencesOf(document) }))
      .filter(({ of, references }) => !areSameKeys(references, of.references));
    if (await replaceReferences(database, rewrites)) return;
    const now = await readStored(
      database,
      rewrites.map(({ of }) => of._id),
    );
    left = rewrites.flatMap(({ of: { _id, id, version } }) => {
      const document = now.get(_id);
      return document?.id === id && document.version === version ? [document] : [];
    });
  }
}
