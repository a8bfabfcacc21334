import type { Collection } from 'mongodb';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../mongodb/database.ts';
import { type Scan, scanOf } from '../mongodb/scan.ts';
import type { KeyList } from './key-lists.ts';

/**
 * A pending item, for batches that miss the resource that it would create: items that wait for each other across batches are found, claimed
 * and applied together by the batch that sees the cycle closed.
 */
export interface PendingItemDocument {
  /** `batchId/index`. */
  _id: string;
  /** The identity that the item would create. */
  key: ResourceKey;
  batchId: string;
  index: number;
  /** Its missing references: all of them, or the stored list of them. */
  missing: ResourceKey[];
  list?: KeyList;
  /** The batch that applies it together with its own items; its own batch does not apply it then. */
  claim?: string;
  /** The latest run that has registered it; absent: an earlier version has. */
  run?: number;
}

/** The collection `pending_items`. */
export const pendingItemsIn = (database: Database): Collection<PendingItemDocument> =>
  database.collection('pending_items');

/** Every pending item, without what it misses. */
export const scanPendingItems = (database: Database): Scan<Omit<PendingItemDocument, 'missing' | 'list'>> =>
  scanOf(pendingItemsIn(database), { missing: 0, list: 0 });

/** A pending item of any batch. */
export interface PendingMember {
  readonly key: ResourceKey;
  readonly batchId: string;
  readonly index: number;
  /** As in the document from which it was read. */
  readonly run?: number | undefined;
}
