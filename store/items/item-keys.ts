import { createHash } from 'node:crypto';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import type { Database } from '../mongodb/database.ts';
import { itemPagesIn } from './item-pages.ts';

/** Bytes of a key: as a number it is exact, and that two external ids of a tenant share one will not happen. */
const KEY_BYTES = 6;
/** Ids of batches that are found at a time. */
const AT_ONCE = 500;

/**
 * By which the pages that have an item for an external id are found: a short hash of tenant and external id, so that an entry of the index has one size,
 * and is found without those of other tenants (docs/decisions/011-batches-by-external-id.md).
 */
export const itemKey = (scope: Scope, externalId: string): number =>
  createHash('sha256')
    .update(`${scopeKey(scope)}/${externalId}`)
    .digest()
    .readUIntBE(0, KEY_BYTES);

/** Ids of the batches that have an item for an external id, in order, each once, some at a time. The index alone is read. */
export async function* batchesWithItem(
  database: Database,
  scopes: readonly Scope[],
  externalId: string,
  range: { readonly $gt?: string; readonly $gte?: string; readonly $lt?: string },
  newestFirst: boolean,
): AsyncGenerator<string[], void> {
  const keys = scopes.map((scope) => itemKey(scope, externalId));
  const found = itemPagesIn(database)
    .find(
      { keys: { $in: keys }, ...(Object.keys(range).length > 0 && { _id: pagesIn(range) }) },
      { projection: { _id: 1 }, batchSize: AT_ONCE },
    )
    .sort({ _id: newestFirst ? -1 : 1 });
  let ids: string[] = [];
  let last = '';
  try {
    for await (const { _id } of found) {
      const batchId = _id.slice(0, _id.lastIndexOf('/'));
      if (batchId === last) continue;
      last = batchId;
      ids.push(batchId);
      if (ids.length < AT_ONCE) continue;
      yield ids;
      ids = [];
    }
    if (ids.length > 0) yield ids;
  } finally {
    await found.close();
  }
}

/** The pages of the batches in a range of ids: `{batch id}/{page}`, and "0" is what follows "/". */
function pagesIn({ $gt, $gte, $lt }: { readonly $gt?: string; readonly $gte?: string; readonly $lt?: string }) {
  return {
    ...($gt === undefined ? $gte !== undefined && { $gte } : { $gte: `${$gt}0` }),
    ...($lt !== undefined && { $lt }),
  };
}
