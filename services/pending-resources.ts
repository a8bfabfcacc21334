import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { MissingDependency } from '../domain/outcome.ts';
import type { BatchDocument } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { readIds } from '../store/item-pages.ts';
import { type MissingKey, outcomeChunks } from '../store/outcome-pages.ts';

/** A pending item as callers read it (contract section 3). */
export interface PendingResource {
  readonly id: string;
  readonly resourceExternalId: string;
  readonly schemaDefinitionId: string;
  readonly schemaName: string;
  readonly expiresAt: string;
  readonly createdAt: string;
  readonly missingDependencies: readonly MissingDependency[];
}

/** The same for as long as the item waits, and another one when it waits again. */
function pendingId(batchId: string, index: number, since: Date): string {
  return uuidv7({ msecs: since.getTime(), random: createHash('sha256').update(`${batchId}:${index}`).digest() });
}

/** What an item misses; while the schema definition is not there yet, its id is empty. */
export function toMissingDependency({ schemaDefinitionId, schemaName, externalId }: MissingKey): MissingDependency {
  return { schemaDefinitionId: schemaDefinitionId ?? '', schemaName, externalId };
}

/** All pending items of a batch, in index order. */
export async function pendingResources(database: Database, batch: BatchDocument): Promise<PendingResource[]> {
  const found: PendingResource[] = [];
  for await (const { pages, outcomes } of outcomeChunks(database, batch)) {
    const pending = [...outcomes].filter(([, outcome]) => outcome.status === 'pending').sort(([a], [b]) => a - b);
    if (pending.length === 0) continue;
    const ids = await readIds(database, batch._id, pages);
    for (const [index, { missing = [], expiresAt, pendingSince }] of pending) {
      found.push({
        id: pendingId(batch._id, index, pendingSince ?? batch.createdAt),
        resourceExternalId: ids.get(Math.floor(index / batch.pageSize))?.[index % batch.pageSize] ?? '',
        schemaDefinitionId: batch.schemaDefinitionId ?? '',
        schemaName: batch.schemaName ?? '',
        expiresAt: expiresAt?.toISOString() ?? '',
        createdAt: pendingSince?.toISOString() ?? '',
        missingDependencies: missing.map(toMissingDependency),
      });
    }
  }
  return found;
}
