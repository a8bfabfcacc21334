import type { ResourceKey } from '../../domain/write/resource.ts';
import type { KeyList } from '../../store/items/key-lists.ts';

/** A pending item, as far as waiting is concerned. */
export interface Waiting {
  readonly index: number;
  readonly key: ResourceKey;
  readonly missing: readonly ResourceKey[];
  /** The stored list of it, where there is one. */
  readonly list?: KeyList | undefined;
  /** How many references it has, there or not. */
  readonly lookups: number;
}
