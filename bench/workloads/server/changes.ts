import type { Collection, Db, Document } from 'mongodb';

/** What a command has done to one document. Null: there is none. */
export interface Change {
  readonly before: Document | null;
  readonly after: Document | null;
}

/** Commands that write. */
export const WRITES: readonly string[] = ['insert', 'update', 'delete', 'findAndModify'];

/**
 * Documents before and after a command that writes, read from the server: nothing else may write to the collection in between. Of two
 * changes of one document by one command the sum is seen.
 */
export class Changes {
  readonly #collection: Collection;
  readonly #command: Document;
  readonly #name: string;
  readonly #before: readonly Document[];

  private constructor(collection: Collection, name: string, command: Document, before: readonly Document[]) {
    this.#collection = collection;
    this.#name = name;
    this.#command = command;
    this.#before = before;
  }

  /** To be called before the command is sent. @param name of the command. */
  static async begin(db: Db, name: string, command: Document): Promise<Changes> {
    const collection = db.collection(String(command[name]));
    return new Changes(collection, name, command, await matching(collection, filtersOf(name, command)));
  }

  /** To be called with its answer. */
  async end(reply: Document): Promise<Change[]> {
    if (this.#name === 'insert') return this.#inserted(reply).map((after) => ({ before: null, after }));
    const upserted = [
      ...((reply.upserted as { _id: unknown }[] | undefined) ?? []).map(({ _id }) => _id),
      ...(reply.lastErrorObject?.upserted === undefined ? [] : [reply.lastErrorObject.upserted]),
    ];
    const ids = [...this.#before.map(({ _id }) => _id as unknown), ...upserted];
    const after = new Map((await matching(this.#collection, [{ _id: { $in: ids } }])).map((one) => [keyOf(one), one]));
    const changes = this.#before.map((before): Change => ({ before, after: after.get(keyOf(before)) ?? null }));
    for (const before of this.#before) after.delete(keyOf(before));
    return [...changes, ...[...after.values()].map((one) => ({ before: null, after: one }))];
  }

  #inserted(reply: Document): Document[] {
    const documents: Document[] = this.#command.documents ?? [];
    const failed = ((reply.writeErrors ?? []) as { index: number }[]).map(({ index }) => index);
    const [first = documents.length] = failed;
    // in order means that nothing was tried after the first that failed
    return documents.filter((_, index) => (this.#command.ordered === false ? !failed.includes(index) : index < first));
  }
}

const keyOf = ({ _id }: Document): string => JSON.stringify(_id);

/** Which documents a command may change: more than it does, perhaps. */
function filtersOf(name: string, command: Document): Document[] {
  if (name === 'findAndModify') return [command.query ?? {}];
  if (name === 'insert') return [];
  const statements: { q: Document }[] = (name === 'update' ? command.updates : command.deletes) ?? [];
  const ids = statements.flatMap(({ q }) => idsIn(q) ?? []);
  const others = statements.flatMap(({ q }) => (idsIn(q) === null ? [q] : []));
  return ids.length > 0 ? [{ _id: { $in: ids } }, ...others] : others;
}

/** The ids that a filter names; null where it is by something else. */
function idsIn({ _id }: Document): unknown[] | null {
  if (typeof _id === 'string') return [_id];
  if (typeof _id === 'object' && _id !== null && Array.isArray(_id.$in)) return _id.$in;
  return null;
}

async function matching(collection: Collection, filters: readonly Document[]): Promise<Document[]> {
  const found = new Map<string, Document>();
  for (const filter of filters) for (const one of await collection.find(filter).toArray()) found.set(keyOf(one), one);
  return [...found.values()];
}
