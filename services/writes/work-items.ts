import type { WriteBatch, WriterBatch } from '../../domain/batch/batch.ts';
import type { ItemError } from '../../domain/batch/outcome.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { MAX_REFERENCES } from '../../domain/limits.ts';
import { unboundSchemaKey } from '../../domain/schema/unbound-key.ts';
import {
  type BoundReference,
  referencesFault,
  type WriteItem,
  type WriteRules,
} from '../../domain/write/decide-writes.ts';
import { type FoundReference, referencesIn } from '../../domain/write/references-in.ts';
import { resourceKey } from '../../domain/write/resource.ts';
import type { WriterDocument } from '../../store/batches/batches.ts';
import type { Item } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import type { LoadedSchema, SchemaCatalog } from '../definitions/schema-catalog.ts';

/** The part of a batch by which its items are decided: that of a dry run has no more. */
export type DecidedBatch = Scope & WriteBatch;

/** An item, ready to be decided. */
export interface DecidedItem<B extends Scope & WriterBatch = Scope & WriterBatch> extends WriteItem {
  readonly batch: B;
  readonly schema: LoadedSchema;
  readonly index: number;
  readonly externalId: string;
  /** Its stored state: pending, or requeued by a retry. */
  readonly outcome: StoredOutcome | undefined;
}

/** An item of a running batch. */
export type WorkItem = DecidedItem<WriterDocument>;

/** Reads the rules of a batch's operation. */
function writeRules(batch: WriteBatch, schema: LoadedSchema): WriteRules {
  return {
    operation: batch.operation,
    onconflict: batch.operation === 'upload' ? batch.options.onconflict : 'upsert',
    ignoreUnknownFields: batch.options.ignoreUnknownFields,
    schema: schema.compiled,
  };
}

/** Binds the references of bodies. Items with faults of their own are returned separately, with their faults. */
export async function toWorkItems<B extends DecidedBatch>(
  { schemas }: { readonly schemas: SchemaCatalog },
  batch: B,
  schema: LoadedSchema,
  items: readonly Item[],
  outcomes: ReadonlyMap<number, StoredOutcome>,
): Promise<{ work: DecidedItem<B>[]; faulty: Map<number, readonly ItemError[]> }> {
  const rules = writeRules(batch, schema);
  const found = new Map(
    items.map((item) => [item, item.body ? referencesIn(schema.compiled.referenceFields, item.body) : []]),
  );
  const targets = [...found.values()].flat().map((reference) => reference.target);
  const bound = await schemas.bind(schema.definition, targets);
  const work: DecidedItem<B>[] = [];
  const faulty = new Map<number, readonly ItemError[]>();
  for (const item of items) {
    const references = found.get(item) ?? [];
    if (item.faults.length > 0 || item.body === null || item.externalId === null) {
      faulty.set(item.index, item.faults);
    } else if (references.length > MAX_REFERENCES) {
      faulty.set(item.index, [referencesFault(references)]);
    } else {
      work.push({
        batch,
        schema,
        index: item.index,
        externalId: item.externalId,
        key: resourceKey(batch, schema.definition.id, item.externalId),
        body: item.body,
        rules,
        references: references.map((reference) =>
          bindReference(batch, reference, bound.get(reference.target.toLowerCase())),
        ),
        outcome: outcomes.get(item.index),
      });
    }
  }
  return { work, faulty };
}

export function bindReference(
  scope: Scope,
  reference: FoundReference,
  bound: { id: string; name: string } | undefined,
): BoundReference {
  const { place, target, externalId } = reference;
  if (bound === undefined) {
    return { key: unboundSchemaKey(scope.platform, target), place, schemaName: target, externalId };
  }
  const key = resourceKey(scope, bound.id, externalId);
  return { key, place, schemaDefinitionId: bound.id, schemaName: bound.name, externalId };
}
