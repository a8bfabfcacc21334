import type { Batch, Import } from '@drover/client';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { linesOfWork, progressOf } from './batch-text.ts';
import { sameConnection } from './command-line.ts';
import { ProgressBar } from './progress.ts';

const isGood = (status: Batch['status']): boolean => status === 'success';

/** Follows a batch to its end with a bar, and prints what became of it. @returns the exit code. */
export async function followBatch(context: Context, batchId: string): Promise<number> {
  const { client, output, signal, onInterrupt, args } = context;
  onInterrupt(() => [`the batch goes on; follow it with: ${sameConnection(args, 'batch', 'watch', batchId)}`]);
  const bar = new ProgressBar(output.terminal, { label: 'batch', unit: 'records' });
  try {
    const onChange = (batch: Batch): void => {
      bar.set(progressOf(batch, batch.progress.totalRecords));
      if (output.form === 'ndjson') void output.write(`${JSON.stringify(batch)}\n`);
    };
    const batch = await client.batch(batchId).finished({ signal, onChange });
    bar.stop();
    if (output.form !== 'ndjson') await output.one(batch, linesOfWork(batch, ['batch', batchId], output.colours));
    sayHow(context, batch, `drover batch items ${batchId} --status failed`);
    return isGood(batch.status) ? EXIT.done : EXIT.notAll;
  } finally {
    bar.stop();
  }
}

/** The same of an import. @param total rows, as far as it is known. */
export async function followImport(context: Context, importId: string, total: number | null): Promise<number> {
  const { client, output, signal, onInterrupt, args } = context;
  onInterrupt(() => [`the import goes on; follow it with: ${sameConnection(args, 'imports', 'watch', importId)}`]);
  const bar = new ProgressBar(output.terminal, { label: 'import', unit: 'rows' });
  try {
    const onChange = (state: Import): void => {
      bar.set(
        progressOf(state, total ?? (state.sealed && state.bytesRead === state.bytesReceived ? state.rowsRead : null)),
      );
      if (output.form === 'ndjson') void output.write(`${JSON.stringify(state)}\n`);
    };
    const state = await client.imports.wait(importId, { signal, onChange });
    bar.stop();
    if (output.form !== 'ndjson') await output.one(state, linesOfWork(state, ['import', importId], output.colours));
    sayHow(context, state, `drover imports results ${importId} --status failed`);
    return isGood(state.status) ? EXIT.done : EXIT.notAll;
  } finally {
    bar.stop();
  }
}

/** Where to read on, once something has failed. */
function sayHow({ output }: Context, { progress }: Pick<Batch, 'progress'>, command: string): void {
  if (progress.failedRecords > 0 && output.terminal.err.isTTY === true) output.say(`what failed: ${command}`);
}
