import { counted } from '../../domain/counted.ts';
import type { ImportSummary } from '../../domain/imports/import.ts';
import type { ImportInput } from './messages.ts';

/** Progress of an import as Markdown for the Temporal UI: numbers only (invariant 7). */
export function describeImport({ schemaName, run }: ImportInput, summary: ImportSummary): string {
  const { batches, counts, rowsRead, status, suspended } = summary;
  return [
    `**import** of \`${schemaName}\`: **${status}**${suspended ? ', suspended' : ''}; run ${run}`,
    '',
    `${counted(rowsRead, 'row')} read, batches: ${batches.total}, of which ${batches.running} are not finished`,
    '',
    ...Object.entries(counts)
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `- ${name}: ${n}`),
  ].join('\n');
}
