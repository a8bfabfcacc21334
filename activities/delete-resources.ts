import type { WorkResult } from './apply-items.ts';
import type { Dependencies } from './dependencies.ts';

/** One step of a batch's stored deletion plan. */
export interface DeletionStep {
  readonly batchId: string;
  readonly run: number;
  readonly step: number;
}

export interface DeletionResult extends WorkResult {
  /** Resources deleted that no item asked for. */
  readonly cascaded: number;
}

export async function deleteResources(_dependencies: Dependencies, { batchId, step }: DeletionStep): Promise<DeletionResult> {
  throw new Error(`batch ${batchId}, step ${step}: deleting is being written`);
}
