import type { Collection } from 'mongodb';
import type { Database } from './mongodb/database.ts';
import { NO_PLACEHOLDER, resourcesIn } from './resources.ts';

/**
 * In which form the data of resources is written. Earlier versions have stored it as JSON text, and cannot read documents. So where
 * resources are stored as text, they are written as text until `npm run migrate` says that all processes read documents
 * (docs/decisions/010-resources-are-documents.md). Every process reads both.
 */
export type ResourceFormat = 'document' | 'text';

/** What has been decided for all processes, and how far the resources of earlier versions have been converted. Absent: nothing yet. */
interface FormatDocument {
  _id: 'resources';
  format: 'document';
  /** Key up to which text has been converted; absent at the beginning, and once all of it is. */
  convertedTo?: string;
  /** Resources that this pass has looked at and converted. */
  checked?: number;
  converted?: number;
}

/** The collection `formats`. */
export const formatsIn = (database: Database): Collection<FormatDocument> => database.collection('formats');

/** For how long a process may write text after documents have been decided on, in ms. */
export const FORMAT_KEPT_MS = 5_000;

const known = new WeakMap<Database, { readonly format: ResourceFormat; readonly until: number }>();

/** The form in which resources are written now. Where none are stored as text, it is documents, for good. */
export async function resourceFormat(database: Database): Promise<ResourceFormat> {
  const last = known.get(database);
  if (last !== undefined && performance.now() < last.until) return last.format;
  const format = await decidedFormat(database);
  known.set(database, {
    format,
    until: format === 'document' ? Number.POSITIVE_INFINITY : performance.now() + FORMAT_KEPT_MS,
  });
  return format;
}

async function decidedFormat(database: Database): Promise<ResourceFormat> {
  if ((await formatsIn(database).findOne({ _id: 'resources' })) !== null) return 'document';
  const [first] = await resourcesIn(database)
    .find({ _id: { $gt: '' }, hidden: NO_PLACEHOLDER }, { projection: { data: 1 }, sort: { _id: 1 }, limit: 1 })
    .toArray();
  if (typeof first?.data === 'string') return 'text';
  await writeDocuments(database);
  return 'document';
}

/** Makes all processes write documents, within `FORMAT_KEPT_MS`. */
export async function writeDocuments(database: Database): Promise<void> {
  await formatsIn(database).updateOne({ _id: 'resources' }, { $setOnInsert: { format: 'document' } }, { upsert: true });
}
