interface Entry<V> {
  readonly value: V;
  readonly group: string;
  readonly bytes: number;
}

/**
 * A cache bounded by bytes, in all and for each group: a group that grows evicts its own entries, least recently
 * used first, and if the whole cache is full, the largest group is reduced. So no group can evict the others, or fill the cache.
 */
export class BoundedCache<V> {
  readonly #limits: { readonly bytes: number; readonly bytesPerGroup: number };
  readonly #groups = new Map<string, { bytes: number; readonly keys: Set<string> }>();
  readonly #entries = new Map<string, Entry<V>>();
  #bytes = 0;

  constructor(limits: { readonly bytes: number; readonly bytesPerGroup: number }) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const keys = this.#groups.get(entry.group)?.keys;
    keys?.delete(key);
    keys?.add(key);
    return entry.value;
  }

  /** @param bytes an estimate; an entry that alone is over the limit of a group is kept until the next entry of that group. */
  set(group: string, key: string, value: V, bytes: number): void {
    this.delete(key);
    const held = this.#groups.get(group) ?? { bytes: 0, keys: new Set<string>() };
    while (held.bytes + bytes > this.#limits.bytesPerGroup && this.#evictFrom(held.keys));
    while (this.#bytes + bytes > this.#limits.bytes && this.#evictFrom(this.#largest()));
    this.#groups.set(group, held);
    this.#entries.set(key, { value, group, bytes });
    held.keys.add(key);
    held.bytes += bytes;
    this.#bytes += bytes;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    const held = entry && this.#groups.get(entry.group);
    if (entry === undefined || held === undefined) return;
    this.#entries.delete(key);
    held.keys.delete(key);
    held.bytes -= entry.bytes;
    this.#bytes -= entry.bytes;
    if (held.keys.size === 0) this.#groups.delete(entry.group);
  }

  #evictFrom(keys: ReadonlySet<string>): boolean {
    const [oldest] = keys;
    if (oldest !== undefined) this.delete(oldest);
    return oldest !== undefined;
  }

  #largest(): ReadonlySet<string> {
    let largest: { bytes: number; readonly keys: ReadonlySet<string> } = { bytes: -1, keys: new Set() };
    for (const held of this.#groups.values()) if (held.bytes > largest.bytes) largest = held;
    return largest.keys;
  }
}
