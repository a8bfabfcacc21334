interface Ordered {
  readonly key: string;
  readonly references: readonly { readonly key: string }[];
}

/**
 * Cuts items into slices of at most `sizeNow()` in their order, so that no item refers to one of a later slice: members of a
 * cycle, and other items that can only be decided together, share a slice, which is larger if they are more. Items of one key may
 * be in several slices, in their order.
 * @param sizeNow called before each slice is cut, which happens when it is requested.
 */
export function* indivisibleSlices<T extends Ordered>(items: readonly T[], sizeNow: () => number): Generator<T[]> {
  const last = new Map(items.map(({ key }, at) => [key, at]));
  /** For each item the last item that has to be in its slice because of the items up to it. */
  let reach = 0;
  let from = 0;
  let cut = 0;
  let size = sizeNow();
  for (const [at, item] of items.entries()) {
    for (const { key } of item.references) if (key !== item.key) reach = Math.max(reach, last.get(key) ?? 0);
    if (reach > at) continue;
    // a cut is possible after this item
    if (at + 1 - from > size && cut > from) {
      yield items.slice(from, cut);
      from = cut;
      size = sizeNow();
    }
    cut = at + 1;
    if (cut - from < size) continue;
    yield items.slice(from, cut);
    from = cut;
    size = sizeNow();
  }
  if (from < items.length) yield items.slice(from);
}
