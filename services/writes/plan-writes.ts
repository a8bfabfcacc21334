import type { ResourceBatch } from '../../domain/batch/batch.ts';
import {
  fitsOneActivity,
  LIGHT_BYTES,
  type PlannedItem,
  planStages,
  resourcesPerActivity,
  type Stage,
} from '../../domain/batch/plan-chunks.ts';
import { EACH_ITEM, type ReferenceField } from '../../domain/schema/references.ts';
import { referencesIn } from '../../domain/write/references-in.ts';
import { type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import { heavyResources } from '../../isolation/resources/resource-sizes.ts';
import type { Item } from '../../store/items/item-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { LoadedSchema, SchemaCatalog } from '../definitions/schema-catalog.ts';
import { fieldsOfOwnKind, linksOf } from './own-links.ts';
import type { DecidedBatch } from './work-items.ts';

/** The services and settings that planning needs. */
export interface PlanningParts {
  readonly database: Database;
  readonly schemas: SchemaCatalog;
  /** As the installation is configured. */
  readonly resourcesPerActivity?: number | undefined;
}

/** Where a plan reads the items that it is about; bodies only if it depends on them. */
interface PlannedItems {
  readonly indexes: readonly number[];
  externalIds(): Promise<ReadonlyMap<number, string | null>>;
  items(): Promise<readonly Pick<Item, 'index' | 'externalId' | 'body'>[]>;
}

/** Chunks of item indexes in stages. `links`: see `Plan.links`. */
interface WritePlan {
  readonly links: string;
  readonly stages: readonly Stage[];
}

/** Plans items by a version of their schema definition: the work of activities, and the order in which a dry run decides. */
export async function planItems(
  parts: PlanningParts,
  batch: DecidedBatch,
  schema: LoadedSchema | null,
  items: PlannedItems,
): Promise<WritePlan> {
  const ownKind = schema === null ? [] : await fieldsOfOwnKind(parts.schemas, schema);
  const planned = await plannedItems(parts, batch, schema, ownKind, items);
  return { links: linksOf(ownKind), stages: planStages(planned, chunkSize(parts, batch)) };
}

/**
 * Items with their references to resources of the same schema definition (no others can be in their batch), and the number of all references of
 * each. Without such fields, and without lists of references, no body is read.
 */
async function plannedItems(
  parts: PlanningParts,
  batch: DecidedBatch,
  schema: LoadedSchema | null,
  ownKind: readonly ReferenceField[],
  { indexes, ...contents }: PlannedItems,
): Promise<PlannedItem[]> {
  const keyOf = (externalId: string): ResourceKey => resourceKey(batch, batch.schemaDefinitionId, externalId);
  const fields = schema?.compiled.referenceFields ?? [];
  const { database } = parts;
  const isOfOneActivity = fitsOneActivity(indexes.length, fields.length, chunkSize(parts, batch));
  if (ownKind.length === 0 && fields.every(({ path }) => !path.includes(EACH_ITEM))) {
    const planned = indexes.map((index) => ({ index, key: null, references: [], lookups: fields.length }));
    if (isOfOneActivity && indexes.length <= FEW_ITEMS) return planned;
    const ids = await contents.externalIds();
    const keyed = planned.map((item) => {
      const externalId = ids.get(item.index) ?? null;
      return { ...item, key: externalId === null ? null : keyOf(externalId) };
    });
    const weighed = await withStoredBytes(database, keyed);
    return isOfOneActivity && weighed.every(({ bytes }) => bytes === undefined) ? planned : weighed;
  }
  const planned = (await contents.items()).map(({ index, externalId, body }) => ({
    index,
    key: externalId === null ? null : keyOf(externalId),
    references: body === null ? [] : referencesIn(ownKind, body).map((reference) => keyOf(reference.externalId)),
    lookups: body === null ? 0 : referencesIn(fields, body).length,
  }));
  return withStoredBytes(database, planned);
}

/** Most items that one activity of a batch applies. */
export const chunkSize = (
  { resourcesPerActivity: configured }: Pick<PlanningParts, 'resourcesPerActivity'>,
  { options }: Pick<ResourceBatch, 'options'>,
): number => resourcesPerActivity(options.resourcesPerActivity ?? configured);

/** Number of items of any size that one activity may hold. */
const FEW_ITEMS = 2;

/** Items with the size of their resources if these are large: a patch of a thousand large resources is the work of many activities. */
export async function withStoredBytes<T extends PlannedItem>(
  database: Database,
  items: readonly T[],
): Promise<(T & Pick<PlannedItem, 'bytes'>)[]> {
  const keys = new Set(items.flatMap(({ key }) => key ?? []));
  const heavy = await heavyResources(database, keys, LIGHT_BYTES);
  return items.map((item) => {
    const bytes = heavy.get(item.key ?? '');
    // several items of one resource read it once
    if (bytes === undefined || !heavy.delete(item.key ?? '')) return item;
    return { ...item, bytes };
  });
}
