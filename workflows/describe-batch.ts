import { type BatchSummary, progressOf } from '../domain/batch/batch.ts';
import { counted } from '../domain/counted.ts';
import type { BatchInput } from './messages.ts';

/** Progress of a batch as Markdown for the Temporal UI: numbers only (invariant 7). */
export function describeBatch(input: BatchInput, summary: BatchSummary): string {
  const { totalRecords, processedRecords } = progressOf(summary.counts);
  const counts = Object.entries(summary.counts).filter(([, n]) => n > 0);
  return [
    `**${input.operation}** of ${totalRecords} × \`${input.schemaName}\`: **${summary.status}**${summary.suspended ? ', suspended' : ''}`,
    '',
    `${processedRecords} of ${counted(totalRecords, 'item')} finished; run ${input.run}`,
    '',
    ...counts.map(([status, n]) => `- ${status}: ${n}`),
    ...Object.entries(summary.errorCodes).map(([code, n]) => `- error \`${code}\`: ${n}`),
    ...(summary.pendingUntil === undefined
      ? []
      : ['', `Pending items wait for missing references; the next deadline is ${summary.pendingUntil}.`]),
  ].join('\n');
}
