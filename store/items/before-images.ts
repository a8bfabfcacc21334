import type { Collection, Document, FindCursor } from 'mongodb';
import { toStorable } from '../../domain/json/stored.ts';
import type { RestoredVersion, StateName } from '../../domain/undo/undo-entry.ts';
import type { JsonObject, ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { deleteEach, deleteFound, updateEach } from '../mongodb/each-by-id.ts';
import { isDuplicateKey } from '../mongodb/errors.ts';
import { KEYS_PER_QUERY } from '../mongodb/parts.ts';
import { readDocument } from '../mongodb/read-document.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';
import type { ResourceDocument } from '../resources.ts';

/**
 * A state of a resource that an undoable batch replaces, or ends by a delete. Its `_id` names that state: batch, life and version. So whoever
 * stores it, and however often and late, stores the same; and a state that was about to be replaced, but was not, is named by no outcome.
 */
interface BeforeImageDocument {
  _id: string;
  batchId: string;
  key: ResourceKey;
  schemaDefinitionId: string;
  externalId: string;
  /** The life of the resource, and its version in it. */
  id: string;
  version: number;
  /** Of a state that an undo had made. */
  restored?: RestoredVersion;
  /** As resources store it (`stored.ts`). */
  data: JsonObject;
  /** Bytes of `data`. */
  bytes: number;
  /** Of a delete: the keys that it refers to. */
  references: ResourceKey[];
  createdAt: Date;
  /** Of a delete: the item that has asked for it; absent: the cascade has deleted it. */
  index?: number;
  /** Of a delete: groups that delete this state once they are committed. Removed when that is known. */
  groups?: string[];
  /** Of a delete: one of these groups was committed, so this batch has deleted it. */
  deleted?: true;
}

/** A state that is about to be replaced. */
export type BeforeImage = Omit<BeforeImageDocument, '_id' | 'groups' | 'deleted'>;
/** The same without the data. */
export type ImageLink = Omit<BeforeImageDocument, 'data'>;

/**
 * The collection `before_images`.
 * @internal exported for tests, which look into it
 */
export const beforeImagesIn = (database: Database): Collection<BeforeImageDocument> =>
  database.collection('before_images');

/** Every kept state, by its batch alone. */
export const scanImages = (database: Database): Scan<Pick<BeforeImageDocument, '_id' | 'batchId'>> =>
  scanOf(beforeImagesIn(database), { batchId: 1 });

export const imageId = (batchId: string, { id, version }: StateName): string => `${batchId}/${id}/${version}`;

/** The state of a resource as a batch keeps it. */
export const imageOf = (
  batchId: string,
  {
    _id,
    id,
    version,
    restored,
    schemaDefinitionId,
    externalId,
    data,
    bytes = 0,
    references,
    createdAt,
  }: ResourceDocument,
): BeforeImage => ({
  batchId,
  key: _id,
  schemaDefinitionId,
  externalId,
  id,
  version,
  ...(restored !== undefined && { restored }),
  data,
  bytes,
  references,
  createdAt,
});

/** Stores states before they are replaced. Safe to repeat, and to land late: the content follows from the `_id`. */
export async function keepImages(database: Database, images: readonly BeforeImage[]): Promise<void> {
  if (images.length === 0) return;
  const documents = images.map((image) => ({
    ...image,
    _id: imageId(image.batchId, image),
    data: toStorable(image.data) as JsonObject,
  }));
  try {
    await beforeImagesIn(database).insertMany(documents, { ordered: false });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Of these, the ones that are stored. */
export async function storedImages(database: Database, ids: readonly string[]): Promise<Set<string>> {
  const found = await beforeImagesIn(database)
    .find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map(({ _id }) => _id));
}

/** Notes the group that is about to delete these states, before it is committed. Safe to repeat; of a group that never commits it is without effect. */
export async function noteDeletion(database: Database, ids: readonly string[], group: string): Promise<void> {
  await updateEach(beforeImagesIn(database), ids, {}, { $addToSet: { groups: group } });
}

/** Notes that these states were deleted, once the group is committed. Safe to repeat. */
export async function confirmDeletion(database: Database, group: string): Promise<void> {
  for (;;) {
    const noted = await beforeImagesIn(database)
      .find({ groups: group }, { projection: { _id: 1 } })
      .limit(KEYS_PER_QUERY)
      .toArray();
    const ids = noted.map(({ _id }) => _id);
    await updateEach(beforeImagesIn(database), ids, {}, { $set: { deleted: true }, $unset: { groups: '' } });
    if (noted.length < KEYS_PER_QUERY) return;
  }
}

/** The states with their data, by `_id`. */
export async function readImages(
  database: Database,
  ids: readonly string[],
): Promise<Map<string, BeforeImageDocument>> {
  const cursor = beforeImagesIn(database).find({ _id: { $in: [...ids] } }, { raw: true });
  const images = new Map<string, BeforeImageDocument>();
  for await (const bytes of cursor as unknown as FindCursor<Uint8Array>) {
    const image = readDocument(bytes) as Document as BeforeImageDocument;
    images.set(image._id, image);
  }
  return images;
}

/** The same without the data. */
export async function readImageLinks(database: Database, ids: readonly string[]): Promise<Map<string, ImageLink>> {
  const links = await beforeImagesIn(database)
    .find({ _id: { $in: [...ids] } })
    .project<ImageLink>({ data: 0 })
    .toArray();
  return new Map(links.map((link) => [link._id, link]));
}

/** The states that a delete has ended, those of its last items first, and those of its cascade at the end. */
export async function* deletedImages(
  database: Database,
  batchId: string,
  pageSize: number,
): AsyncGenerator<ImageLink[]> {
  const cursor = beforeImagesIn(database)
    .find({ batchId, deleted: true })
    .project<ImageLink>({ data: 0, references: 0 })
    .sort({ index: -1, _id: 1 })
    .batchSize(pageSize);
  let page: ImageLink[] = [];
  for await (const image of cursor) {
    page.push(image);
    if (page.length < pageSize) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Removes all that is kept for a batch. Safe to repeat. */
export async function removeImages(database: Database, batchId: string): Promise<void> {
  // '0' comes right after '/'
  await deleteFound(beforeImagesIn(database), { _id: { $gt: `${batchId}/`, $lt: `${batchId}0` } });
}

/** Removes some of them. Safe to repeat. */
export async function removeSomeImages(database: Database, ids: readonly string[]): Promise<void> {
  await deleteEach(beforeImagesIn(database), ids);
}
