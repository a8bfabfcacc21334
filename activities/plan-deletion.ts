import type { BatchDocument } from '../store/batches.ts';
import type { Dependencies } from './dependencies.ts';
import type { Plan } from './plan-batch.ts';

export async function planDeletion(_dependencies: Dependencies, batch: BatchDocument, cursor: number): Promise<Plan> {
  throw new Error(`batch ${batch._id}, round ${cursor}: planning of deletes is being written`);
}
