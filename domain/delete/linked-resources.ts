import { type Computation, STEPS_PER_SLICE } from '../collections/in-slices.ts';
import { KeyTable } from '../collections/key-table.ts';
import type { HashKey } from '../collections/keyed-hash.ts';
import { type ChargeMemory, NumberList } from '../collections/number-list.ts';

/** Who refers to whom, by number: the referrers of `n` are `referrers[first[n]]` up to, not including, `referrers[first[n + 1]]`. */
export interface Referrers {
  readonly first: Uint32Array;
  readonly referrers: Uint32Array;
}

/**
 * Resources that a delete has to know of, numbered, and the references between them: 8 bytes for each reference beside what
 * `KeyTable` takes for each resource.
 */
export class LinkedResources {
  readonly keys: KeyTable;
  readonly #from: NumberList;
  readonly #to: NumberList;

  constructor(charge: ChargeMemory = () => undefined, hashKey: HashKey = randomKey()) {
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

  /** A reference of a resource to itself is none: it keeps nothing and orders nothing. */
  addReference(from: number, to: number): void {
    if (from === to) return;
    this.#from.push(from);
    this.#to.push(to);
  }

  forgetReferences(): void {
    this.#from.clear();
    this.#to.clear();
  }

  /** Turns the references around; one that was added twice is there twice. */
  *turnedAround(): Computation<Referrers> {
    const [from, to] = [this.#from.items, this.#to.items];
    // counted, then summed up: where the referrers of each end; filling from the back leaves where they begin
    const first = new Uint32Array(this.size + 1);
    for (let at = 0; at < to.length; at++) {
      if (at % STEPS_PER_SLICE === 0) yield;
      const target = to[at] ?? 0;
      first[target] = (first[target] ?? 0) + 1;
    }
    let sum = 0;
    for (let n = 0; n <= this.size; n++) {
      if (n % STEPS_PER_SLICE === 0) yield;
      sum += first[n] ?? 0;
      first[n] = sum;
    }
    const referrers = new Uint32Array(to.length);
    for (let at = to.length - 1; at >= 0; at--) {
      if (at % STEPS_PER_SLICE === 0) yield;
      const target = to[at] ?? 0;
      const place = (first[target] ?? 0) - 1;
      first[target] = place;
      referrers[place] = from[at] ?? 0;
    }
    return { first, referrers };
  }
}

/** Says where numbers are kept, never what they are. */
function randomKey(): HashKey {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint32Array(2));
  return [a, b];
}
