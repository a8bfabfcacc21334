import type { BatchResult } from '../batch/batch.ts';
import { noActions, noCounts } from '../batch/outcome.ts';

/** The sum of some batches of an import. */
export interface SummedBatches {
  batches: number;
  readonly result: BatchResult;
}

export const nothing = (): SummedBatches => ({
  batches: 0,
  result: { counts: noCounts(), actions: noActions(), errorCodes: {} },
});

export const copied = ({ batches, result }: SummedBatches): SummedBatches => ({
  batches,
  result: { counts: { ...result.counts }, actions: { ...result.actions }, errorCodes: { ...result.errorCodes } },
});
