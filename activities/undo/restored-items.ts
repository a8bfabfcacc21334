import type { ItemError } from '../../domain/batch/outcome.ts';
import { MAX_REFERENCES } from '../../domain/limits.ts';
import type { UndoEntry } from '../../domain/undo/undo-entry.ts';
import { CHANGED_SINCE, referencesFault } from '../../domain/write/decide-writes.ts';
import { referencesIn } from '../../domain/write/references-in.ts';
import type { LoadedSchema } from '../../services/definitions/schema-catalog.ts';
import { bindReference, type WorkItem } from '../../services/writes/work-items.ts';
import type { UndoBatchDocument } from '../../store/batches/batches.ts';
import { imageId, readImages } from '../../store/items/before-images.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { ActivityContext } from '../activity-context.ts';
import { SCHEMA_GONE } from '../write/item-outcomes.ts';

/** An item of an undo that writes its resource, for itself and for those that it leads. */
export interface Restored {
  readonly index: number;
  readonly entry: UndoEntry;
  readonly outcome: StoredOutcome | undefined;
}

const NOT_KEPT: ItemError = {
  code: 'not_found',
  message: 'the state before is no longer kept: the batch that was to be undone has been removed',
};

/** Items of an undo that are ready to be decided, and the faults of the others. */
interface ReadyToRestore {
  readonly work: readonly WorkItem[];
  readonly schemas: readonly LoadedSchema[];
  readonly faulty: ReadonlyMap<number, ItemError>;
}

/** Reads the states before, and binds their references by the present versions of their definitions. */
export async function toRestore(
  { database, schemas: catalog }: ActivityContext,
  batch: UndoBatchDocument,
  items: readonly Restored[],
): Promise<ReadyToRestore> {
  const nameOf = ({ before }: UndoEntry): string => (before ? imageId(batch.options.undoOf, before) : '');
  const images = await readImages(
    database,
    items.map(({ entry }) => nameOf(entry)),
  );
  const schemas = new Map<string, LoadedSchema>();
  const work: WorkItem[] = [];
  const faulty = new Map<number, ItemError>();
  for (const { index, entry, outcome } of items) {
    const image = images.get(nameOf(entry));
    const schema =
      image && (schemas.get(image.schemaDefinitionId) ?? (await catalog.current(image.schemaDefinitionId)));
    const found = image && schema ? referencesIn(schema.compiled.referenceFields, image.data) : [];
    if (image === undefined) faulty.set(index, entry.before === undefined ? CHANGED_SINCE : NOT_KEPT);
    else if (!schema) faulty.set(index, SCHEMA_GONE);
    else if (found.length > MAX_REFERENCES) faulty.set(index, referencesFault(found));
    else {
      schemas.set(image.schemaDefinitionId, schema);
      const bound = await catalog.bind(
        schema.definition,
        found.map(({ target }) => target),
      );
      const { id, version, createdAt, data, key, externalId } = image;
      work.push({
        batch,
        schema,
        index,
        externalId,
        key,
        body: data,
        rules: { operation: 'upload', onconflict: 'upsert', ignoreUnknownFields: true, schema: schema.compiled },
        references: found.map((reference) =>
          bindReference(batch, reference, bound.get(reference.target.toLowerCase())),
        ),
        restoring: { expects: entry.expects ?? null, id, version, createdAt },
        outcome,
      });
    }
  }
  return { work, schemas: [...schemas.values()], faulty };
}
