import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { DEFAULT_PLATFORM, NAMESPACE_SCOPE, scopeKey } from '../../domain/batch/scope.ts';
import { batchesIn } from '../batches/batches.ts';
import type { Database } from '../mongodb/database.ts';
import { updateEach } from '../mongodb/each-by-id.ts';

/** The tenant to which the operator's terminations belonged in earlier versions. */
const FORMER_OWNER = scopeKey({ platform: DEFAULT_PLATFORM, tenant: 'default' });

/** Time after which it is tried again, in ms. */
const RETRY_MS = 5_000;

/**
 * Moves batches that act on the whole namespace to the scope that no tenant's token has (invariant 6). Earlier versions stored
 * them under the tenant `default`. Safe to repeat, and beside running workflows: those read a batch by its id.
 * @returns how many were moved.
 * @internal exported for tests, which check it by itself
 */
export async function moveNamespaceBatches(database: Database): Promise<number> {
  const former = { scope: FORMER_OWNER, operation: 'terminate', 'options.reach': 'namespace' } as const;
  const found = await batchesIn(database)
    .find(former, { projection: { _id: 1 } })
    .toArray();
  const to = { scope: scopeKey(NAMESPACE_SCOPE), tenant: NAMESPACE_SCOPE.tenant };
  const ids = found.map(({ _id }) => _id);
  return updateEach(batchesIn(database), ids, former, { $set: to });
}

/** The same in the background, until it is done or `stopped`. */
export async function moveNamespaceBatchesAtLast(
  database: Database,
  logger: Logger,
  stopped: AbortSignal,
): Promise<void> {
  while (!stopped.aborted) {
    try {
      const moved = await moveNamespaceBatches(database);
      if (moved > 0) logger.info({ moved }, "batches of the operator are no longer tenant default's");
      return;
    } catch (error) {
      if (stopped.aborted) return;
      logger.warn({ err: error }, "batches of the operator are still tenant default's");
      await sleep(RETRY_MS, undefined, { signal: stopped, ref: false }).catch(() => undefined);
    }
  }
}
