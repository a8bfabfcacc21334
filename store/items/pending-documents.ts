import type { Collection } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import type { KeyList } from './key-lists.ts';

/**
 * A pending item, for batches that miss what it would create: items that wait for each other across batches are found, claimed
 * and applied together by the batch that sees the cycle closed.
 */
export interface PendingItemDocument {
  /** `batchId/index`. */
  _id: string;
  /** What the item would create. */
  key: ResourceKey;
  batchId: string;
  index: number;
  /** What it misses: all of it, or the stored list that holds it. */
  missing: ResourceKey[];
  list?: KeyList;
  /** The batch that applies it with its own; its own batch leaves it alone. */
  claim?: string;
  /** The latest run that has registered it; absent: an earlier version has. */
  run?: number;
}

/** The collection `pending_items`. */
export const pendingItemsIn = (database: Database): Collection<PendingItemDocument> =>
  database.collection('pending_items');

/** A pending item, wherever it belongs. */
export interface PendingMember {
  readonly key: ResourceKey;
  readonly batchId: string;
  readonly index: number;
  /** As in the document that it was read from. */
  readonly run?: number | undefined;
}
