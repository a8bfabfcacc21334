import type { Batch, BulkOperation, Import } from '@drover/client';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { linesOfBulk, linesOfWork, progressOf } from './batch-text.ts';
import { sameConnection } from './command-line.ts';
import { jsonText } from './plain.ts';
import { formatNumber, type Progress, ProgressBar } from './progress.ts';

/** What runs at the service, and how people see it. */
interface Followed<S> {
  readonly label: string;
  readonly unit: string;
  /** What Ctrl-C leaves: that it goes on, and the command that follows it. */
  readonly goesOn: string;
  readonly progressOf: (state: S) => Progress;
  readonly linesOf: (state: S) => readonly (readonly [string, string])[];
  readonly wait: (options: { readonly signal: AbortSignal; readonly onChange: (state: S) => void }) => Promise<S>;
}

/** Waits for the end with a bar, and prints it; with `--ndjson` each state. A reader of the output that is gone ends it. */
async function follow<S>({ output, signal, onInterrupt }: Context, followed: Followed<S>): Promise<S> {
  const { label, unit, goesOn } = followed;
  onInterrupt(() => [goesOn]);
  const bar = new ProgressBar(output.terminal, { label, unit });
  const unread = new AbortController();
  let written = Promise.resolve();
  const onChange = (state: S): void => {
    bar.set(followed.progressOf(state));
    if (output.form === 'ndjson')
      written = output.write(`${jsonText(state)}\n`).catch((error: unknown) => unread.abort(error));
  };
  try {
    const state = await followed.wait({ signal: AbortSignal.any([signal, unread.signal]), onChange });
    bar.stop();
    await written;
    unread.signal.throwIfAborted();
    if (output.form !== 'ndjson') await output.one(state, followed.linesOf(state));
    return state;
  } finally {
    bar.stop();
  }
}

const codeOf = ({ status }: Pick<Batch | BulkOperation, 'status'>): number =>
  status === 'success' ? EXIT.done : EXIT.notAll;

/** Follows a batch to its end. @returns the exit code. */
export async function followBatch(context: Context, batchId: string): Promise<number> {
  const { client, output, args } = context;
  const batch = await follow<Batch>(context, {
    label: 'batch',
    unit: 'records',
    goesOn: `the batch goes on; follow it with: ${sameConnection(args, 'batch', 'watch', batchId)}`,
    progressOf: (state) => progressOf(state, state.progress.totalRecords),
    linesOf: (state) => linesOfWork(state, ['batch', batchId], output.colours),
    wait: (options) => client.batch(batchId).finished(options),
  });
  sayHow(context, batch, sameConnection(args, 'batch', 'items', batchId, '--status', 'failed'));
  return codeOf(batch);
}

/** The same of an import. @param total rows, as far as it is known. */
export async function followImport(context: Context, importId: string, total: number | null): Promise<number> {
  const { client, output, args } = context;
  const rowsOf = ({ sealed, bytesRead, bytesReceived, rowsRead }: Import): number | null =>
    total ?? (sealed && bytesRead === bytesReceived ? rowsRead : null);
  const state = await follow<Import>(context, {
    label: 'import',
    unit: 'rows',
    goesOn: `the import goes on; follow it with: ${sameConnection(args, 'imports', 'watch', importId)}`,
    progressOf: (now) => progressOf(now, rowsOf(now)),
    linesOf: (now) => linesOfWork(now, ['import', importId], output.colours),
    wait: (options) => client.imports.wait(importId, options),
  });
  sayHow(context, state, sameConnection(args, 'imports', 'results', importId, '--status', 'failed'));
  return codeOf(state);
}

/** The same of an operation on many batches. */
export async function followBulk(context: Context, id: string): Promise<number> {
  const { client, output, args } = context;
  const notDone = ({ failed }: BulkOperation): number => Object.values(failed).reduce((sum, count) => sum + count, 0);
  const state = await follow<BulkOperation>(context, {
    label: 'bulk',
    unit: 'batches',
    goesOn: `the operation goes on; follow it with: ${sameConnection(args, 'bulk', 'watch', id)}`,
    progressOf: (now) => ({
      done: now.done + now.skipped + notDone(now),
      total: now.matched,
      ...(notDone(now) > 0 && { note: `${formatNumber(notDone(now))} not done` }),
    }),
    linesOf: (now) => linesOfBulk(now, output.colours),
    wait: (options) => client.bulkOperations.wait(id, options),
  });
  return codeOf(state);
}

/** Where to read on, once something has failed. */
function sayHow({ output }: Context, { progress }: Pick<Batch, 'progress'>, command: string): void {
  if (progress.failedRecords > 0 && output.terminal.err.isTTY === true) output.say(`what failed: ${command}`);
}
