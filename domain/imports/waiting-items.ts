import { KeyTable } from '../collections/key-table.ts';
import { type HashKey, randomHashKey } from '../collections/keyed-hash.ts';
import { type ChargeMemory, NumberList } from '../collections/number-list.ts';
import { numberedComponents } from '../collections/numbered-components.ts';
import { type Computation, STEPS_PER_YIELD } from '../collections/run-yielding.ts';
import type { ResourceKey } from '../write/resource.ts';

/** A pending item: the number of its batch, and its index there. */
export interface WaitingItem {
  readonly batch: number;
  readonly index: number;
}

/** What becomes of items that wait. */
export interface Hopes {
  /** Cycles that can be applied now: items that need each other, and nothing else that is missing. */
  readonly cycles: readonly (readonly WaitingItem[])[];
  /** Numbers of the batches that have an item which can be applied, at once or later. */
  readonly batches: ReadonlySet<number>;
  /** Items of cycles that are too large to be applied. */
  readonly tooLarge: number;
}

/** Lists of numbers: that of `n` is `items[first[n]]` up to, not including, `items[first[n + 1]]`. */
interface Lists {
  readonly first: Uint32Array;
  readonly items: Uint32Array;
}

/**
 * Pending items and the identities that they miss, numbered: 16 bytes for each item and 4 for each missing identity, in addition to the
 * memory of `KeyTable` for each identity, all outside the garbage-collected heap. Millions of rows of one import may wait.
 */
export class WaitingItems {
  readonly #keys: KeyTable;
  readonly #keyOf: NumberList;
  readonly #batchOf: NumberList;
  readonly #indexOf: NumberList;
  readonly #missing: NumberList;
  /** Where the missing identities of each item end. */
  readonly #ends: NumberList;

  constructor(charge: ChargeMemory, hashKey: HashKey = randomHashKey()) {
    this.#keys = new KeyTable(charge, hashKey);
    this.#keyOf = new NumberList(charge);
    this.#batchOf = new NumberList(charge);
    this.#indexOf = new NumberList(charge);
    this.#missing = new NumberList(charge);
    this.#ends = new NumberList(charge);
  }

  get size(): number {
    return this.#keyOf.length;
  }

  /** Bytes that `hopes` takes. */
  get bytesToFindCycles(): number {
    return this.size * BYTES_PER_ITEM + this.#keys.size * BYTES_PER_KEY + this.#missing.length * BYTES_PER_MISSING;
  }

  add({ batch, index }: WaitingItem, key: ResourceKey, missing: Iterable<ResourceKey>): void {
    this.#keyOf.push(this.#keys.add(key));
    this.#batchOf.push(batch);
    this.#indexOf.push(index);
    for (const each of missing) this.#missing.push(this.#keys.add(each));
    this.#ends.push(this.#missing.length);
  }

  /**
   * Which items can be applied, now or later: those that need only what such items would create. An item that needs a cycle is in none: it can be
   * applied once the cycle is. Linear in items and missing identities.
   * @param most larger cycles cannot be applied, and neither can what needs them.
   * @param isHalted whether nothing of a batch is applied for now: its cycles have to wait.
   */
  *hopes(most: number, isHalted: (batch: number) => boolean): Computation<Hopes> {
    const excluded = new Uint8Array(this.size);
    for (;;) {
      const supported = yield* this.#supported(excluded);
      const found = yield* this.#cyclesOf(supported, most);
      if (found.tooLarge.length === 0) {
        const batches = new Set<number>();
        for (let item = 0; item < this.size; item++) if (supported[item] === 1) batches.add(this.#batchOf.at(item));
        const cycles = found.closed.map((items) => items.map((item) => this.#itemAt(item)));
        const tooLarge = excluded.reduce((sum, flag) => sum + flag, 0);
        return { cycles: cycles.filter((items) => !items.some(({ batch }) => isHalted(batch))), batches, tooLarge };
      }
      for (const item of found.tooLarge) excluded[item] = 1;
    }
  }

  #itemAt(item: number): WaitingItem {
    return { batch: this.#batchOf.at(item), index: this.#indexOf.at(item) };
  }

  /** The items of each cycle that needs nothing but itself, and those of cycles that are too large. */
  *#cyclesOf(supported: Uint8Array, most: number): Computation<{ closed: number[][]; tooLarge: number[] }> {
    const needs = yield* this.#needsOf(supported);
    const { count, of, members, starts } = yield* numberedComponents(needs.first, needs.items);
    const providers = yield* lists(this.#keyOf.items, this.#keys.size, (item) => supported[item] === 1);
    const closed: number[][] = [];
    const tooLarge: number[] = [];
    for (let component = 0; component < count; component++) {
      if (component % STEPS_PER_YIELD === 0) yield;
      const keys = members.subarray(starts[component], starts[component + 1]);
      const size = sizeOf(keys, providers);
      if (size > most && keys.length > 1) for (const item of itemsOf(keys, providers)) tooLarge.push(item);
      else if (size > 0 && isClosed(keys, component, of, needs))
        closed.push([...itemsOf(keys, providers)].slice(0, most));
    }
    return { closed, tooLarge };
  }

  /** Flags of the items of the largest set whose members need only identities that other members would create. */
  *#supported(excluded: Uint8Array): Computation<Uint8Array> {
    const supported = excluded.map((flag) => 1 - flag);
    const providers = new Uint32Array(this.#keys.size);
    for (const [item, key] of this.#keyOf.items.entries())
      if (supported[item] === 1) providers[key] = (providers[key] ?? 0) + 1;
    const needers = yield* lists(this.#missing.items, this.#keys.size, () => true);
    const itemOf = this.#itemOfPlaces();
    const absent = new NumberList(() => undefined);
    for (let key = 0; key < this.#keys.size; key++) if (providers[key] === 0) absent.push(key);
    for (let at = 0; at < absent.length; at++) {
      if (at % STEPS_PER_YIELD === 0) yield;
      const key = absent.at(at);
      for (let place = needers.first[key] ?? 0; place < (needers.first[key + 1] ?? 0); place++) {
        const item = itemOf[needers.items[place] ?? 0] ?? 0;
        if (supported[item] === 0) continue;
        supported[item] = 0;
        const own = this.#keyOf.at(item);
        const left = (providers[own] ?? 0) - 1;
        providers[own] = left;
        if (left === 0) absent.push(own);
      }
    }
    return supported;
  }

  /** The item of each place in the list of missing identities. */
  #itemOfPlaces(): Uint32Array {
    const items = new Uint32Array(this.#missing.length);
    for (let item = 0; item < this.size; item++) items.fill(item, this.#startOf(item), this.#ends.at(item));
    return items;
  }

  #startOf(item: number): number {
    return item === 0 ? 0 : this.#ends.at(item - 1);
  }

  /** What the supported items of each identity miss. */
  *#needsOf(supported: Uint8Array): Computation<Lists> {
    const itemOf = this.#itemOfPlaces();
    const owners = Uint32Array.from(itemOf, (item) => this.#keyOf.at(item));
    const { first, items: places } = yield* lists(
      owners,
      this.#keys.size,
      (place) => supported[itemOf[place] ?? 0] === 1,
    );
    return { first, items: Uint32Array.from(places, (place) => this.#missing.at(place)) };
  }
}

const BYTES_PER_ITEM = 2 + 4;
const BYTES_PER_KEY = 3 * 4 + 32;
const BYTES_PER_MISSING = 6 * 4;

/** The places of each number in a list, of those places that `counts`. */
function* lists(numbers: Uint32Array, size: number, counts: (place: number) => boolean): Computation<Lists> {
  const first = new Uint32Array(size + 1);
  for (const [place, number] of numbers.entries()) {
    if (place % STEPS_PER_YIELD === 0) yield;
    if (counts(place)) first[number + 1] = (first[number + 1] ?? 0) + 1;
  }
  for (let number = 0; number < size; number++) first[number + 1] = (first[number + 1] ?? 0) + (first[number] ?? 0);
  const items = new Uint32Array(first[size] ?? 0);
  const next = first.slice(0, size);
  for (const [place, number] of numbers.entries()) {
    if (place % STEPS_PER_YIELD === 0) yield;
    if (!counts(place)) continue;
    const at = next[number] ?? 0;
    items[at] = place;
    next[number] = at + 1;
  }
  return { first, items };
}

/** Whether identities need nothing outside of their component. */
function isClosed(keys: Uint32Array, component: number, of: Uint32Array, { first, items }: Lists): boolean {
  for (const key of keys)
    for (let at = first[key] ?? 0; at < (first[key + 1] ?? 0); at++) if (of[items[at] ?? 0] !== component) return false;
  return true;
}

const sizeOf = (keys: Uint32Array, { first }: Lists): number =>
  keys.reduce((sum, key) => sum + (first[key + 1] ?? 0) - (first[key] ?? 0), 0);

function* itemsOf(keys: Uint32Array, { first, items }: Lists): Generator<number> {
  for (const key of keys) for (let at = first[key] ?? 0; at < (first[key + 1] ?? 0); at++) yield items[at] ?? 0;
}
