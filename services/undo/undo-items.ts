import { type UndoEntry, undoEntriesOf, type WriteEffect } from '../../domain/undo/undo-entry.ts';
import { parseResourceKey } from '../../domain/write/resource.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { deletedImages, type ImageLink } from '../../store/items/before-images.ts';
import { keysOfItems, type NewItem, UNDONE_PER_PAGE } from '../../store/items/item-pages.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';

/**
 * The items that undo a finished batch, one for each effect, the last one first, in pages of `UNDONE_PER_PAGE`. They follow from what is stored of the
 * batch: whoever makes them, makes the same.
 */
export async function* itemsToUndo(database: Database, batch: BatchDocument): AsyncGenerator<NewItem[]> {
  if (batch.operation === 'delete') {
    for await (const page of deletedImages(database, batch._id, UNDONE_PER_PAGE))
      yield page.map((image) => toItem(recreation(image)));
    return;
  }
  const entries = undoEntriesOf(await effectsOf(database, batch));
  for (const page of parts(entries, UNDONE_PER_PAGE)) yield page.map(toItem);
}

const recreation = ({ key, id, version }: ImageLink): UndoEntry => ({
  key,
  kind: 'recreate',
  before: { id, version },
});

const toItem = (undo: UndoEntry): NewItem => ({ externalId: parseResourceKey(undo.key).externalId, undo });

/** What the items of an upload or patch have done: there are at most as many as a request has. */
async function effectsOf(database: Database, batch: BatchDocument): Promise<WriteEffect[]> {
  const effects: WriteEffect[] = [];
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    const keys = new Map(
      (await keysOfItems(database, batch, [...outcomes.keys()])).map(({ key, index }) => [index, key]),
    );
    for (const [index, { action, wrote }] of outcomes) {
      const key = keys.get(index);
      if (key === undefined || (action !== 'created' && action !== 'updated')) continue;
      effects.push({ index, key, action, wrote });
    }
  }
  return effects;
}
