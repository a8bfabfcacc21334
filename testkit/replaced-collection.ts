import type { Collection, Document } from 'mongodb';
import type { Database } from '../store/mongodb/database.ts';

/** The same database, in which one collection, given by its name in MongoDB, is replaced by another. */
export function withCollection<T extends Document>(database: Database, name: string, instead: Collection<T>): Database {
  const collection: Database['collection'] = (of) => (of === name ? (instead as never) : database.collection(of)); // the caller knows the type of the collection that it replaces
  return { ...database, collection };
}
