import { KeyTable } from '../collections/key-table.ts';
import { type HashKey, randomHashKey } from '../collections/keyed-hash.ts';
import { type ChargeMemory, NumberList } from '../collections/number-list.ts';
import { type Computation, STEPS_PER_YIELD } from '../collections/run-yielding.ts';

/** Referrers by number: those of `n` are `referrers[first[n]]` up to, not including, `referrers[first[n + 1]]`. */
export interface Referrers {
  readonly first: Uint32Array;
  readonly referrers: Uint32Array;
}

/**
 * The resources that a delete needs to know, numbered, and the references between them: 8 bytes for each reference, in addition to the memory of
 * `KeyTable` for each resource.
 */
export class LinkedResources {
  readonly keys: KeyTable;
  readonly #from: NumberList;
  readonly #to: NumberList;

  constructor(charge: ChargeMemory = () => undefined, hashKey: HashKey = randomHashKey()) {
    this.keys = new KeyTable(charge, hashKey);
    this.#from = new NumberList(charge);
    this.#to = new NumberList(charge);
  }

  get size(): number {
    return this.keys.size;
  }

  get references(): number {
    return this.#from.length;
  }

  /** A reference of a resource to itself is ignored: it neither keeps the resource nor orders anything. */
  addReference(from: number, to: number): void {
    if (from === to) return;
    this.#from.push(from);
    this.#to.push(to);
  }

  forgetReferences(): void {
    this.#from.clear();
    this.#to.clear();
  }

  /** Reverses the references; one that was added twice is there twice. */
  *reversed(): Computation<Referrers> {
    const [from, to] = [this.#from.items, this.#to.items];
    // counts, then sums: the position where the referrers of each end; filling from the back leaves the position where they begin
    const first = new Uint32Array(this.size + 1);
    for (let at = 0; at < to.length; at++) {
      if (at % STEPS_PER_YIELD === 0) yield;
      const target = to[at] ?? 0;
      first[target] = (first[target] ?? 0) + 1;
    }
    let sum = 0;
    for (let n = 0; n <= this.size; n++) {
      if (n % STEPS_PER_YIELD === 0) yield;
      sum += first[n] ?? 0;
      first[n] = sum;
    }
    const referrers = new Uint32Array(to.length);
    for (let at = to.length - 1; at >= 0; at--) {
      if (at % STEPS_PER_YIELD === 0) yield;
      const target = to[at] ?? 0;
      const place = (first[target] ?? 0) - 1;
      first[target] = place;
      referrers[place] = from[at] ?? 0;
    }
    return { first, referrers };
  }
}
