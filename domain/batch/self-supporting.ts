import { appendTo } from '../collections/append-to.ts';
import type { ResourceKey } from '../write/resource.ts';

/** A pending item that would create `key` once all of `missing` is there. */
export interface Waiter {
  readonly key: ResourceKey;
  readonly missing: readonly ResourceKey[];
}

/**
 * The largest set of pending items that need only what is present and each other: cycles included. Linear in the items and in
 * their missing references.
 */
export function selfSupporting<T extends Waiter>(waiters: readonly T[], present: ReadonlySet<ResourceKey>): Set<T> {
  const supported = new Set(waiters);
  const providers = new Map<ResourceKey, number>();
  const needers = new Map<ResourceKey, T[]>();
  for (const waiter of waiters) {
    providers.set(waiter.key, (providers.get(waiter.key) ?? 0) + 1);
    for (const key of waiter.missing) {
      appendTo(needers, key, waiter);
    }
  }
  const absent = [...needers.keys()].filter((key) => !present.has(key) && !providers.has(key));
  for (let key = absent.pop(); key !== undefined; key = absent.pop()) {
    for (const waiter of needers.get(key) ?? []) {
      if (!supported.delete(waiter)) continue;
      const left = (providers.get(waiter.key) ?? 0) - 1;
      providers.set(waiter.key, left);
      if (left === 0 && !present.has(waiter.key)) absent.push(waiter.key);
    }
  }
  return supported;
}
