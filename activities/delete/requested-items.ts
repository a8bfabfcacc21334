import type { KeyTable } from '../../domain/collections/key-table.ts';
import { type ChargeMemory, NumberList } from '../../domain/collections/number-list.ts';
import type { UndoEntry } from '../../domain/undo/undo-entry.ts';
import { type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import type { DeleteBatchDocument, UndoBatchDocument } from '../../store/batches/batches.ts';
import { readIds, readUndoEntries } from '../../store/items/item-pages.ts';
import { pagesOf } from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';

/** Pages of ids that are read in one command. */
const PAGES_AT_ONCE = 20;

/** One item of a delete; its key is null if no resource can have its id. */
export interface RequestedItem {
  readonly index: number;
  readonly key: ResourceKey | null;
}

/** The requests of a delete's items, in their order, a few pages at a time. */
export async function* requestedItems(
  database: Database,
  batch: DeleteBatchDocument | UndoBatchDocument,
): AsyncGenerator<RequestedItem[]> {
  if (batch.operation === 'undo') {
    for await (const entries of undoEntries(database, batch))
      yield entries.flatMap(([index, { kind, key }]) => (kind === 'remove' ? [{ index, key }] : []));
    return;
  }
  for (const some of parts(pagesOf(batch), PAGES_AT_ONCE)) {
    for (const [page, ids] of await readIds(database, batch._id, some)) {
      yield ids.map((externalId, offset) => ({
        index: page * batch.pageSize + offset,
        key: externalId === null ? null : resourceKey(batch, batch.schemaDefinitionId, externalId),
      }));
    }
  }
}

/** What the items of an undo take back, in their order, a few pages at a time. */
export async function* undoEntries(
  database: Database,
  batch: UndoBatchDocument,
): AsyncGenerator<[index: number, UndoEntry][]> {
  const { pageSize, total } = batch;
  for (const some of parts(pagesOf(batch), PAGES_AT_ONCE)) {
    const first = (some[0] ?? 0) * pageSize;
    const count = Math.min(total - first, some.length * pageSize);
    yield [
      ...(await readUndoEntries(
        database,
        batch,
        Array.from({ length: count }, (_, at) => first + at),
      )),
    ];
  }
}

/** The items that request each numbered resource: some 8 bytes for each item. */
export class ItemsByNumber {
  readonly #keys: KeyTable;
  /** First item + 1 of each number; 0 if no item requests it. */
  readonly #first: NumberList;
  /** Item -> the next one + 1 that requests the same, and, for each number, the last one. */
  readonly #next: NumberList;
  readonly #last: NumberList;

  constructor(keys: KeyTable, charge: ChargeMemory) {
    this.#keys = keys;
    this.#first = new NumberList(charge);
    this.#next = new NumberList(charge);
    this.#last = new NumberList(charge);
  }

  /** Items come in their order. */
  add(number: number, index: number): void {
    if (this.#first.at(number) === 0) this.#first.set(number, index + 1);
    else this.#next.set(this.#last.at(number), index + 1);
    this.#last.set(number, index);
  }

  /** The first item that requests it, or -1. */
  first(number: number): number {
    return this.#first.at(number) - 1;
  }

  /** All items that request it, the first one first. */
  of(number: number): number[] {
    const items: number[] = [];
    for (let item = this.#first.at(number); item > 0; item = this.#next.at(item - 1)) items.push(item - 1);
    return items;
  }

  /** Every number once: those that items request in the order of the items, then the others. */
  sequence(total: number): Uint32Array {
    const numberAt = new Uint32Array(total);
    const { size } = this.#keys;
    for (let number = 0; number < size; number++)
      if (this.first(number) >= 0) numberAt[this.first(number)] = number + 1;
    const sequence = new Uint32Array(size);
    let place = 0;
    for (const number of numberAt) if (number > 0) sequence[place++] = number - 1;
    for (let number = 0; number < size; number++) if (this.first(number) < 0) sequence[place++] = number;
    return sequence;
  }
}
