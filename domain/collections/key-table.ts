import type { ResourceKey } from '../write/resource.ts';
import { type HashKey, keyedHash } from './keyed-hash.ts';
import { type ChargeMemory, NumberList } from './number-list.ts';

/** Share of the places of the hash table that may be taken before it doubles. */
const MAX_LOAD = 0.6;
const FIRST_SLOTS = 256;
const FIRST_BYTES = 4096;
/** Largest number of bytes that one UTF-16 unit takes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * Numbers identities from 0 on in the order of their arrival, each once. In addition to the bytes of its external id an identity takes some 30
 * bytes, outside the garbage-collected heap: a set of strings takes several hundred.
 */
export class KeyTable {
  readonly #charge: ChargeMemory;
  readonly #hashKey: HashKey;
  /** The part before the external id: platform, tenant and schema definition. */
  readonly #groups: string[] = [];
  readonly #groupNumbers = new Map<string, number>();
  readonly #groupOf: NumberList;
  /** Where the external id of each identity begins; it ends where the next one begins. */
  readonly #starts: NumberList;
  readonly #hashes: NumberList;
  #text = Buffer.alloc(FIRST_BYTES);
  #textLength = 0;
  /** Number + 1 of an identity, at the place that its hash names or the next free one; 0 for a free place. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #encoded = Buffer.alloc(FIRST_BYTES);

  /** @param hashKey random: a caller that chooses external ids must not know it. */
  constructor(charge: ChargeMemory, hashKey: HashKey) {
    this.#charge = charge;
    this.#hashKey = hashKey;
    this.#groupOf = new NumberList(charge);
    this.#starts = new NumberList(charge);
    this.#hashes = new NumberList(charge);
  }

  get size(): number {
    return this.#starts.length;
  }

  /** @returns its number, which is new if it had none. */
  add(key: ResourceKey): number {
    const { group, length } = this.#encode(key, true);
    const hash = keyedHash(this.#hashKey, this.#encoded, length, group);
    const slot = this.#slotOf(hash, group, length);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    const number = this.size;
    this.#keep(length);
    this.#groupOf.push(group);
    this.#hashes.push(hash);
    this.#slots[slot] = number + 1;
    if (this.size > this.#slots.length * MAX_LOAD) this.#rehash();
    return number;
  }

  /** @returns its number, or -1. */
  find(key: ResourceKey): number {
    const { group, length } = this.#encode(key, false);
    if (group < 0) return -1;
    const hash = keyedHash(this.#hashKey, this.#encoded, length, group);
    return (this.#slots[this.#slotOf(hash, group, length)] ?? 0) - 1;
  }

  key(number: number): ResourceKey {
    const group = this.#groups[this.#groupOf.at(number)] ?? '';
    return group + this.#text.toString('utf8', this.#starts.at(number), this.#endOf(number));
  }

  /** The one of `groups` that it belongs to. */
  groupOf(number: number): number {
    return this.#groupOf.at(number);
  }

  /** Prefixes of keys, one for each schema definition. */
  get groups(): readonly string[] {
    return this.#groups;
  }

  /** Writes the external id into `#encoded`. @returns the group; -1 if there is none yet. */
  #encode(key: ResourceKey, isNew: boolean): { group: number; length: number } {
    const at = endOfGroup(key);
    const name = key.slice(0, at);
    let group = this.#groupNumbers.get(name) ?? -1;
    if (group < 0 && isNew) {
      group = this.#groups.length;
      this.#groups.push(name);
      this.#groupNumbers.set(name, group);
    }
    const needed = (key.length - at) * MAX_BYTES_PER_UNIT;
    if (this.#encoded.length < needed) this.#encoded = Buffer.alloc(needed);
    return { group, length: this.#encoded.write(key.slice(at)) };
  }

  #slotOf(hash: number, group: number, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const known = (this.#slots[slot] ?? 0) - 1;
      if (known < 0) return slot;
      if (this.#hashes.at(known) === hash && this.#groupOf.at(known) === group && this.#isEncoded(known, length))
        return slot;
    }
  }

  #isEncoded(number: number, length: number): boolean {
    const [start, end] = [this.#starts.at(number), this.#endOf(number)];
    return end - start === length && this.#text.compare(this.#encoded, 0, length, start, end) === 0;
  }

  #endOf(number: number): number {
    return number + 1 < this.size ? this.#starts.at(number + 1) : this.#textLength;
  }

  #keep(length: number): void {
    if (this.#textLength + length > this.#text.length) {
      const before = this.#text;
      const size = Math.max(before.length * 2, this.#textLength + length);
      this.#charge(size);
      this.#text = Buffer.alloc(size);
      before.copy(this.#text, 0, 0, this.#textLength);
      this.#charge(-before.length);
    }
    this.#starts.push(this.#textLength);
    this.#encoded.copy(this.#text, this.#textLength, 0, length);
    this.#textLength += length;
  }

  #rehash(): void {
    const before = this.#slots.byteLength;
    this.#charge(before * 2);
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (const [number, hash] of this.#hashes.items.entries()) {
      let slot = hash & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
    this.#charge(-before);
  }
}

/** The position at which the external id begins. */
function endOfGroup(key: ResourceKey): number {
  let at = 0;
  for (let part = 0; part < 3; part++) {
    const slash = key.indexOf('/', at);
    if (slash < 0) return 0;
    at = slash + 1;
  }
  return at;
}
