import type { JsonText, PreviewAllOptions, PreviewedItem } from '@drover/client';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { ITEM_COLUMNS, linesOfPreview } from '../terminal/batch-text.ts';
import { jsonText } from '../terminal/plain.ts';
import { ProgressBar } from '../terminal/progress.ts';

/** Items without success that one result holds, and that people are shown. */
const HELD_FAILURES = 1_000;
const SHOWN_FAILURES = 10;

/** Says what would become of resources; nothing is stored. @param total for the bar. @returns the exit code. */
export async function previewWrites(
  { client, output, signal }: Context,
  schema: string,
  resources: AsyncIterable<JsonText>,
  how: PreviewAllOptions & { readonly operation: 'upload' | 'patch' },
  total: number | null,
): Promise<number> {
  const bar = new ProgressBar(output.terminal, { label: `${how.operation} (dry run)`, unit: 'records' });
  const counts: Record<string, number> = { succeeded: 0, pending: 0, failed: 0 };
  const actions: Record<string, number> = { created: 0, updated: 0, unchanged: 0 };
  const failures: PreviewedItem[] = [];
  let done = 0;
  try {
    for await (const item of client.previewAll(schema, resources, { ...how, signal })) {
      done += 1;
      add(counts, item.status);
      if (item.action) add(actions, item.action);
      if (item.status === 'failed' && failures.length < HELD_FAILURES) failures.push(item);
      bar.set({ done, total });
      if (output.form === 'ndjson') await output.write(`${jsonText(item)}\n`);
    }
  } finally {
    bar.stop();
  }
  const preview = { dryRun: true, total: done, counts, actions };
  if (output.form !== 'ndjson')
    await output.one({ ...preview, failed: failures }, linesOfPreview(done, preview, output.colours));
  await output.listForPeople(failures.slice(0, SHOWN_FAILURES), ITEM_COLUMNS);
  return counts.failed ? EXIT.notAll : EXIT.done;
}

function add(numbers: Record<string, number>, name: string): void {
  numbers[name] = (Object.hasOwn(numbers, name) ? (numbers[name] ?? 0) : 0) + 1;
}
