import { metricMeter } from '@temporalio/activity';
import { RUNNING_STATUSES } from '../../domain/batch/batch.ts';
import type { OpenBatch } from '../../store/batches/to-recover.ts';
import { estimatedPendingItems } from '../../store/items/pending-items.ts';
import type { Database } from '../../store/mongodb/database.ts';

/**
 * How many batches run, wait and are suspended, counted by the pass that reads all of them anyway. Of all workers the one shows them that runs recovery;
 * what another one has shown before is 0 from then on, so that their sum is right.
 */
export class BatchGauges {
  #counts = new Map<string, number>();
  #suspended = 0;
  #isWhole = false;

  /** A pass begins. @param isWhole it begins with the first batch. */
  begin(isWhole: boolean): void {
    this.#counts = new Map();
    this.#suspended = 0;
    this.#isWhole = isWhole;
  }

  add(batches: readonly OpenBatch[]): void {
    for (const { status, suspended } of batches) {
      this.#counts.set(status, (this.#counts.get(status) ?? 0) + 1);
      if (suspended) this.#suspended += 1;
    }
  }

  /** A pass has come to its end: what it has counted is shown, unless it has begun in the middle. */
  async end(database: Database): Promise<void> {
    if (!this.#isWhole) return;
    show({ counts: this.#counts, suspended: this.#suspended, pending: await estimatedPendingItems(database) });
  }
}

/** Another worker is about to run recovery. */
export const clearBatchGauges = (): void => show({ counts: new Map(), suspended: 0, pending: 0 });

function show(shown: { counts: ReadonlyMap<string, number>; suspended: number; pending: number }): void {
  const batches = metricMeter.createGauge('drover_batches', 'int', 'batches', 'Batches that are not finished');
  for (const status of RUNNING_STATUSES) batches.set(shown.counts.get(status) ?? 0, { status });
  metricMeter
    .createGauge('drover_suspended_batches', 'int', 'batches', 'Batches that are suspended')
    .set(shown.suspended);
  metricMeter.createGauge('drover_pending_items', 'int', 'items', 'Items that wait for others').set(shown.pending);
}
