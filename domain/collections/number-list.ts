/** Called with the memory that will be allocated, or has been released (negative), in bytes; an error that it throws prevents the allocation. */
export type ChargeMemory = (bytes: number) => void;

const FIRST_CAPACITY = 64;

/** Numbers from 0 to 2^32 - 1 in the order in which they were added: 4 bytes each, and at most as much again as a reserve. */
export class NumberList {
  readonly #charge: ChargeMemory;
  #items = new Uint32Array(FIRST_CAPACITY);
  #length = 0;

  constructor(charge: ChargeMemory) {
    this.#charge = charge;
  }

  get length(): number {
    return this.#length;
  }

  /** The numbers that were added; valid until more are added. */
  get items(): Uint32Array {
    return this.#items.subarray(0, this.#length);
  }

  push(item: number): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[this.#length++] = item;
  }

  /** Numbers that were skipped are 0. */
  set(place: number, item: number): void {
    while (this.#length <= place) this.push(0);
    this.#items[place] = item;
  }

  /** @returns 0 if nothing was added there. */
  at(place: number): number {
    return place < this.#length ? (this.#items[place] ?? 0) : 0;
  }

  /** Releases its memory. */
  clear(): void {
    this.#charge((FIRST_CAPACITY - this.#items.length) * Uint32Array.BYTES_PER_ELEMENT);
    this.#items = new Uint32Array(FIRST_CAPACITY);
    this.#length = 0;
  }

  #grow(): void {
    const before = this.#items;
    this.#charge(before.byteLength * 2);
    this.#items = new Uint32Array(before.length * 2);
    this.#items.set(before);
    this.#charge(-before.byteLength);
  }
}
