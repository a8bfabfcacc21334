import { trace } from '@opentelemetry/api';

/** The attribute by which all spans of a batch are found; `process/trace-exporter.ts` lets it pass. */
const BATCH_ATTRIBUTE = 'drover.batch.id';

/** Says that what is being traced is about this batch; commands that are sent from now on say so too. Without effect where nothing is traced. */
export function traceBatch(batchId: string): void {
  trace.getActiveSpan()?.setAttribute(BATCH_ATTRIBUTE, batchId);
}
