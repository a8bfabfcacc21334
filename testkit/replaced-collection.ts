import type { Collection, Document } from 'mongodb';
import type { Database } from '../store/mongodb/database.ts';

/** The same database, with another collection in place of one, by its name in MongoDB. */
export function withCollection<T extends Document>(database: Database, name: string, instead: Collection<T>): Database {
  const collection: Database['collection'] = (of) => (of === name ? (instead as never) : database.collection(of)); // the caller knows the type of what it replaces
  return { ...database, collection };
}
