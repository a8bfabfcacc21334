import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { AnswerRoom } from '../../domain/batch/answer-room.ts';
import type { MissingReference } from '../../domain/batch/outcome.ts';
import { MAX_MISSING_PER_OUTCOME, MAX_PENDING_RESOURCES } from '../../domain/limits.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { readIds } from '../../store/items/item-pages.ts';
import {
  inOrder,
  type MissingKey,
  outcomeChunks,
  pendingAmong,
  type StoredOutcome,
} from '../../store/items/outcomes.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** A pending item as callers read it (docs/api.md#waiting). */
interface PendingResource {
  readonly id: string;
  readonly resourceExternalId: string;
  readonly schemaDefinitionId: string;
  readonly schemaName: string;
  readonly expiresAt: string;
  readonly createdAt: string;
  /** The first 20 missing references, and their number. */
  readonly missingDependencies: readonly MissingReference[];
  readonly missingTotal: number;
}

/** The same id for as long as the item waits, and another one when it waits again. */
function pendingId(batchId: string, index: number, since: Date): string {
  return uuidv7({ msecs: since.getTime(), random: createHash('sha256').update(`${batchId}:${index}`).digest() });
}

/** The first missing references of an item; while a schema definition does not exist yet, its id is empty. */
export function missedBy({ missing, missingTotal }: Pick<StoredOutcome, 'missing' | 'missingTotal'>) {
  if (missing === undefined) return {};
  return {
    missingDependencies: missing.slice(0, MAX_MISSING_PER_OUTCOME).map(toMissingReference),
    missingTotal: missingTotal ?? missing.length,
  };
}

const toMissingReference = ({ schemaDefinitionId = '', schemaName, externalId }: MissingKey): MissingReference => ({
  schemaDefinitionId,
  schemaName,
  externalId,
});

/** The first pending items of a batch, in index order, and their number. */
export interface PendingResources {
  readonly pendingResources: readonly PendingResource[];
  readonly pendingResourcesTotal: number;
}

/** @param total how many items are pending. */
export async function pendingResourcesOf(
  database: Database,
  batch: BatchDocument,
  total: number,
): Promise<PendingResources> {
  const room = new AnswerRoom();
  const found: PendingResource[] = [];
  for await (const pending of pendingItems(database, batch)) {
    if (found.length === MAX_PENDING_RESOURCES || !room.take(pending)) break;
    found.push(pending);
  }
  // the count of the workflow may be a moment older, or younger, than the stored items
  return { pendingResources: found, pendingResourcesTotal: Math.max(total, found.length) };
}

async function* pendingItems(database: Database, batch: BatchDocument): AsyncGenerator<PendingResource> {
  if (batch.operation !== 'upload') return;
  for await (const { pages, outcomes } of outcomeChunks(database, batch)) {
    const pending = pendingAmong(inOrder(outcomes));
    if (pending.length === 0) continue;
    const ids = await readIds(database, batch._id, pages);
    for (const [index, outcome] of pending) {
      const { expiresAt, pendingSince } = outcome;
      yield {
        id: pendingId(batch._id, index, pendingSince),
        resourceExternalId: ids.get(Math.floor(index / batch.pageSize))?.[index % batch.pageSize] ?? '',
        schemaDefinitionId: batch.schemaDefinitionId,
        schemaName: batch.schemaName,
        expiresAt: expiresAt.toISOString(),
        createdAt: pendingSince.toISOString(),
        missingDependencies: [],
        missingTotal: 0,
        ...missedBy(outcome),
      };
    }
  }
}
