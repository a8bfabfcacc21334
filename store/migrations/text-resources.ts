import { type AnyBulkWriteOperation, BSON } from 'mongodb';
import { jsonText } from '../../domain/json/exact.ts';
import { storedBytes, toStorable } from '../../domain/json/stored.ts';
import { exceedsDepth } from '../../domain/json/text.ts';
import { MAX_RESOURCE_BYTES, MAX_RESOURCE_DEPTH } from '../../domain/limits.ts';
import { readSchemaDefinition } from '../definitions/schema-definitions.ts';
import type { Database } from '../mongodb/database.ts';
import { readDocument } from '../mongodb/read-document.ts';
import { formatsIn, writeDocuments } from '../resource-format.ts';
import { NO_PLACEHOLDER, type ResourceDocument, readResources, resourcesIn } from '../resources.ts';

/** How far the conversion has come, since it began. */
interface Conversion {
  /** Resources that it has read. */
  readonly checked: number;
  /** Those of them that it has made documents. */
  readonly converted: number;
  /** Keys of resources of the last pages that no document can hold: they stay text, and are read as such. */
  readonly kept: readonly string[];
}

/** Resources, and bytes of them, that are converted in one step. */
const RESOURCES_AT_ONCE = 250;
const BYTES_AT_ONCE = 8 * 1024 * 1024;

/**
 * Makes documents of the resources whose data earlier versions have stored as JSON text, step by step in the order of their keys. After
 * each step its place is stored, so that another call continues there, whatever has ended this one. Safe to repeat, to run twice at once, and beside
 * batches: a step changes a resource only in the version that it has read, and not what the resource says.
 */
export async function* convertTextResources(database: Database): AsyncGenerator<Conversion> {
  await writeDocuments(database);
  const earlier = await formatsIn(database).findOne({ _id: 'resources' });
  let { checked = 0, converted = 0 } = earlier ?? {};
  const names = new Map<string, string | undefined>();
  for (let after = earlier?.convertedTo ?? ''; ; ) {
    const page = await pageAfter(database, after);
    const last = page.at(-1);
    if (last === undefined) break;
    const texts = page.filter(({ isText }) => isText);
    const kept = texts.filter((document) => !isSameAsDocument(document));
    converted += await convert(
      database,
      texts.filter((document) => !kept.includes(document)),
      names,
    );
    checked += page.length;
    after = last._id;
    await formatsIn(database).updateOne({ _id: 'resources' }, { $set: { convertedTo: after, checked, converted } });
    yield { checked, converted, kept: kept.map(({ _id }) => _id) };
  }
  await formatsIn(database).updateOne(
    { _id: 'resources' },
    { $unset: { convertedTo: '', checked: '', converted: '' } },
  );
}

/** The next resources, at least one. */
async function pageAfter(database: Database, after: string): Promise<ResourceDocument[]> {
  const page: ResourceDocument[] = [];
  let bytes = 0;
  const filter = { _id: { $gt: after }, hidden: NO_PLACEHOLDER };
  for await (const document of readResources(database, filter, { sort: { _id: 1 }, limit: RESOURCES_AT_ONCE })) {
    page.push(document);
    bytes += document.bytes ?? storedBytes(document.data);
    if (bytes > BYTES_AT_ONCE) break;
  }
  return page;
}

/** Whether the data, stored as a document, would be read as it is. Text could be larger, deeper, and hold half of a character. */
function isSameAsDocument({ data, references }: ResourceDocument): boolean {
  if (exceedsDepth(data, MAX_RESOURCE_DEPTH)) return false;
  const keys = references.reduce((sum, key) => sum + Buffer.byteLength(key), 0);
  if (storedBytes(data) + keys > MAX_RESOURCE_BYTES) return false;
  const read = readDocument(BSON.serialize({ data: toStorable(data) })) as Pick<ResourceDocument, 'data'>;
  return jsonText(read.data) === jsonText(data);
}

/** @returns the number of resources that are documents now; those that were written meanwhile are documents by that. */
async function convert(
  database: Database,
  documents: readonly ResourceDocument[],
  names: Map<string, string | undefined>,
): Promise<number> {
  if (documents.length === 0) return 0;
  for (const { schemaDefinitionId: id } of documents)
    if (!names.has(id)) names.set(id, (await readSchemaDefinition(database, id))?.name);
  const { matchedCount } = await resourcesIn(database).bulkWrite(
    documents.map((document) => conversion(document, names.get(document.schemaDefinitionId))),
    { ordered: false },
  );
  return matchedCount;
}

/** A write of the resource since (invariant 4) has another version; one that lands late finds no text. */
function conversion(
  { _id, id, version, data, schemaName }: ResourceDocument,
  name: string | undefined,
): AnyBulkWriteOperation<ResourceDocument> {
  return {
    updateOne: {
      filter: { _id, id, version, data: { $type: 'string' } },
      update: {
        $set: {
          data: toStorable(data) as ResourceDocument['data'],
          bytes: storedBytes(data),
          ...(schemaName === undefined && name !== undefined && { schemaName: name }),
        },
      },
    },
  };
}
