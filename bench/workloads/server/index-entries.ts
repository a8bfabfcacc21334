import { BSON, type Document } from 'mongodb';

/** What of an index decides how many entries a document has in it. */
export interface Index {
  readonly collection: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly options?: { readonly sparse?: unknown; readonly partialFilterExpression?: Document };
}

const BY_ID: Index['key'] = { _id: 1 };

/**
 * How many entries of indexes a server writes where `before` becomes `after`: what is new, and what goes. Null: there is no document.
 * An entry that stays as it is is not written.
 */
export function indexEntriesWritten(
  indexes: readonly Index[],
  collection: string,
  before: Document | null,
  after: Document | null,
): number {
  const all = [...indexes.filter((index) => index.collection === collection), { collection, key: BY_ID }];
  return all.reduce((sum, index) => {
    const old = entriesOf(index, before);
    const fresh = entriesOf(index, after);
    return sum + old.difference(fresh) + fresh.difference(old);
  }, 0);
}

/** Entries as text. */
class Entries {
  readonly #entries: ReadonlySet<string>;

  constructor(entries: Iterable<string>) {
    this.#entries = new Set(entries);
  }

  /** How many of them are not among the others. */
  difference(others: Entries): number {
    return [...this.#entries].filter((entry) => !others.#entries.has(entry)).length;
  }
}

function entriesOf({ key, options }: Index, document: Document | null): Entries {
  if (document === null || !isIndexed(document, options?.partialFilterExpression)) return new Entries([]);
  const values = Object.keys(key).map((path) => valuesAt(document, path.split('.')));
  if (options?.sparse && values.every((some) => some.length === 0)) return new Entries([]);
  // an array has an entry for each of its elements, and what is not there has one as null
  const entries = values.reduce<unknown[][]>(
    (before, some) => before.flatMap((entry) => (some.length > 0 ? some : [null]).map((value) => [...entry, value])),
    [[]],
  );
  return new Entries(entries.map((entry) => BSON.EJSON.stringify(entry)));
}

/** The values that an index has for a path; none where nothing is there. */
function valuesAt(value: unknown, [name, ...rest]: readonly string[]): unknown[] {
  if (Array.isArray(value) && (name === undefined || !(name in value)))
    return value.flatMap((element) => valuesAt(element, name === undefined ? [] : [name, ...rest]));
  if (name === undefined) return [value];
  if (typeof value !== 'object' || value === null || !(name in value)) return [];
  return valuesAt((value as Document)[name], rest);
}

/** @throws for a filter of a form that no declared index has. */
function isIndexed(document: Document, filter: Document = {}): boolean {
  return Object.entries(filter).every(([path, wanted]) => {
    const values = valuesAt(document, path.split('.'));
    if (typeof wanted !== 'object' || wanted === null) return values.includes(wanted);
    const [operator, operand] = Object.entries(wanted as Document)[0] ?? [];
    if (operator !== '$exists') throw new Error(`a partial index by ${operator} is not known here`);
    return values.length > 0 === operand;
  });
}
