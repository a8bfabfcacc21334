import { hasCode } from '../../domain/errors.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { blocked } from '../../isolation/attempts/attempt.ts';
import type { LoadedSchema } from '../../services/definitions/schema-catalog.ts';
import { previewWrites } from '../../services/writes/preview-writes.ts';
import type { WriteBatchDocument } from '../../store/batches/batches.ts';
import { importKeysAmong } from '../../store/imports/import-keys.ts';
import type { Item } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { ActivityContext } from '../activity-context.ts';

/**
 * The outcomes that items of an import that is only checked would have now, by the code that decides dry runs. What other rows of the import
 * would create counts as present, wherever they are in the file.
 */
export async function checkWrites(
  { database, schemas, resourcesPerActivity }: ActivityContext,
  batch: WriteBatchDocument,
  schema: LoadedSchema,
  items: readonly Item[],
): Promise<Map<number, StoredOutcome>> {
  const alsoPresent = (keys: readonly ResourceKey[]): Promise<ReadonlySet<ResourceKey>> =>
    importKeysAmong(database, batch.importId ?? '', keys);
  // a dry run numbers its items from 0 on
  const numbered = items.map((item, index) => ({ ...item, index }));
  try {
    const parts = { database, schemas, resourcesPerActivity, alsoPresent };
    const outcomes = await previewWrites(parts, batch, schema, numbered);
    return new Map(
      [...outcomes].flatMap(([at, outcome]) => {
        const item = items[at];
        return item === undefined ? [] : [[item.index, outcome] as const];
      }),
    );
  } catch (error) {
    // what is validated in a thread is remembered, so that the next attempt goes further
    if (hasCode(error, 'preview_timeout')) throw blocked('checking these items takes longer than an attempt may');
    throw error;
  }
}
