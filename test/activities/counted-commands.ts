import type { Collection, Document } from 'mongodb';
import type { Database } from '../../store/mongodb/database.ts';

const COMMANDS = new Set([
  'bulkWrite',
  'deleteMany',
  'deleteOne',
  'find',
  'findOne',
  'findOneAndUpdate',
  'insertMany',
  'insertOne',
  'updateMany',
  'updateOne',
]);

/** Whether resources are read whole. */
const isWithData = (collection: string, [, options]: unknown[]): boolean =>
  collection === 'resources' && JSON.stringify(options ?? {}) === JSON.stringify({ raw: true });

/** Counts the commands that are sent to collections of a database. */
export class CountedCommands {
  /** `{collection}: {command}`, and ` with data` if it reads resources whole, in the order in which they were sent. */
  #sent: string[] = [];

  /** The same database, whose commands are counted. */
  of(database: Database): Database {
    const collection = <T extends Document>(name: string): Collection<T> =>
      new Proxy(database.collection<T>(name), {
        get: (target, member) => {
          const value: unknown = Reflect.get(target, member, target);
          if (typeof value !== 'function' || typeof member !== 'string' || !COMMANDS.has(member)) return value;
          return (...given: unknown[]): unknown => {
            this.#sent.push(`${name}: ${member}${isWithData(name, given) ? ' with data' : ''}`);
            return Reflect.apply(value, target, given);
          };
        },
      });
    return { ...database, collection };
  }

  /** Those since this was called last, sorted. */
  take(): string[] {
    const sent = this.#sent.sort();
    this.#sent = [];
    return sent;
  }
}
