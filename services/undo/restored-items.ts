import type { Undo } from '../../domain/batch/batch.ts';
import type { ItemError } from '../../domain/batch/outcome.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { MAX_REFERENCES } from '../../domain/limits.ts';
import { type UndoEntry, versionOfData } from '../../domain/undo/undo-entry.ts';
import { CHANGED_SINCE, referencesFault } from '../../domain/write/decide-writes.ts';
import { referencesIn } from '../../domain/write/references-in.ts';
import { imageId, readImages } from '../../store/items/before-images.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { LoadedSchema, SchemaCatalog } from '../definitions/schema-catalog.ts';
import { bindReference, type DecidedItem } from '../writes/work-items.ts';
import { failedOutcome, SCHEMA_GONE } from '../writes/write-outcome.ts';

/** An item of an undo that writes its resource, for itself and for those that it leads. */
export interface Restored {
  readonly index: number;
  readonly entry: UndoEntry;
  readonly outcome: StoredOutcome | undefined;
}

const NOT_KEPT: ItemError = {
  code: 'not_found',
  message:
    'the state before is not kept: the batch that was to be undone has been removed, or it was made by another batch in one step with what is to be undone, in a cycle of both',
};

/** Items of an undo that are ready to be decided, and the faults of the others. */
interface ReadyToRestore<B extends Scope & Undo> {
  readonly work: readonly DecidedItem<B>[];
  readonly schemas: readonly LoadedSchema[];
  /** Outcomes of those that cannot be decided. */
  readonly refused: ReadonlyMap<number, StoredOutcome>;
}

/** Reads the states before, and binds their references by the present versions of their definitions. */
export async function toRestore<B extends Scope & Undo>(
  { database, schemas: catalog }: { readonly database: Database; readonly schemas: SchemaCatalog },
  batch: B,
  items: readonly Restored[],
): Promise<ReadyToRestore<B>> {
  const nameOf = ({ before }: UndoEntry): string => (before ? imageId(batch.options.undoOf, before) : '');
  const images = await readImages(
    database,
    items.map(({ entry }) => nameOf(entry)),
  );
  const schemas = new Map<string, LoadedSchema>();
  const work: DecidedItem<B>[] = [];
  const refused = new Map<number, StoredOutcome>();
  const refuse = (index: number, outcome: StoredOutcome | undefined, error: ItemError): void => {
    const failed = failedOutcome(outcome, [error]);
    const isSkipped = error.code === 'changed_since';
    refused.set(index, isSkipped ? { status: 'skipped', errors: [error], attempts: failed.attempts } : failed);
  };
  for (const { index, entry, outcome } of items) {
    const image = images.get(nameOf(entry));
    const schema =
      image && (schemas.get(image.schemaDefinitionId) ?? (await catalog.current(image.schemaDefinitionId)));
    const found = image && schema ? referencesIn(schema.compiled.referenceFields, image.data) : [];
    if (image === undefined) refuse(index, outcome, entry.before === undefined ? CHANGED_SINCE : NOT_KEPT);
    else if (!schema) refuse(index, outcome, SCHEMA_GONE);
    else if (found.length > MAX_REFERENCES) refuse(index, outcome, referencesFault(found));
    else {
      schemas.set(image.schemaDefinitionId, schema);
      const bound = await catalog.bind(
        schema.definition,
        found.map(({ target }) => target),
      );
      const { id, version, createdAt, data, key, externalId } = image;
      const before = { id, version, versionOfData: versionOfData(image) ?? version, createdAt };
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
        restoring: { expects: entry.expects ?? null, ...before },
        outcome,
      });
    }
  }
  return { work, schemas: [...schemas.values()], refused };
}
