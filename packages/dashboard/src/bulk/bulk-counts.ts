import type { Batch, BulkOperation } from '@drover/client';

/** What became of the matched batches, as parts of a bar. */
export function countsOf({ matched, done, skipped, failed }: BulkOperation): Batch['counts'] {
  const refused = Object.values(failed).reduce((sum, n) => sum + n, 0);
  const queued = Math.max(0, matched - done - skipped - refused);
  return { queued, pending: 0, succeeded: done, failed: refused, expired: 0, skipped, cancelled: 0 };
}
