import type { ResourceKey } from '../../domain/write/resource.ts';
import type { KeyList } from '../../store/items/key-lists.ts';

/** The fields of a pending item that its wait depends on. */
export interface Waiting {
  readonly index: number;
  readonly key: ResourceKey;
  readonly missing: readonly ResourceKey[];
  /** The stored list of them, if there is one. */
  readonly list?: KeyList | undefined;
  /** Number of all its references, missing or not. */
  readonly lookups: number;
}
