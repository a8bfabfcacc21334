import { randomUUID } from 'node:crypto';
import type { JsonText, UploadAllOptions, UploadedBatch, UploadSummary } from '@drover/client';
import { type Command, Option } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import { countLines, isRegular, openContent, resourcesOf } from '../files/lines.ts';
import { type BatchFlags, batchOf, batchOptions } from '../options/about.ts';
import { firstOf } from '../options/limit.ts';
import { toNumber } from '../options/numbers.ts';
import { previewWrites } from '../previews/writes.ts';
import { ITEM_COLUMNS, textOfCounts } from '../terminal/batch-text.ts';
import { commandLine } from '../terminal/command-line.ts';
import { formatNumber, ProgressBar } from '../terminal/progress.ts';
import { addCommand } from './add-command.ts';

interface UploadFlags extends BatchFlags {
  readonly key?: string;
  readonly inFlight: number;
  readonly batchSize: number;
  readonly onconflict?: 'upsert' | 'reject';
  readonly ignoreUnknownFields?: true;
  readonly wait?: number;
  readonly dryRun?: true;
  readonly detach?: true;
}

/** How many failed items are shown at the end; `drover batch items` shows all. */
const SHOWN_FAILURES = 10;

/** `drover upload` and `drover patch` */
export function addUploadCommands(program: Command, parts: ProgramParts): void {
  const more = (what: string): string =>
    `FILE is newline-delimited JSON, a resource on each line; - is standard input. ${what} The resources are sent as batches of up to 1000.\nA run that was stopped continues with the --key that it prints, within 24 hours: nothing is applied twice.`;
  addCommand<UploadFlags>(program, parts, {
    usage: 'upload <schema> <file>',
    summary: 'Create resources, or merge into those that exist',
    more: more('Files of CSV, and very large ones: see drover import.'),
    examples: [
      'drover upload city cities.ndjson',
      'drover export city | jq -c \'.country = "CH"\' | drover upload city -',
      'drover upload city cities.ndjson --wait 3600',
      'drover upload city cities.ndjson --dry-run',
    ],
    options: (command) =>
      uploadOptions(command)
        .addOption(
          new Option('--onconflict <what>', 'what becomes of a resource that exists').choices(['upsert', 'reject']),
        )
        .option('--wait <seconds>', 'how long resources wait for those that they refer to', toNumber(0, 86_400)),
    run: (context, args, flags) => upload(context, args, flags, 'upload'),
  });
  addCommand<UploadFlags>(program, parts, {
    usage: 'patch <schema> <file>',
    summary: 'Change fields of resources that exist',
    more: more('null deletes a field.'),
    examples: ['echo \'{"externalId":"2950159","population":3645000}\' | drover patch city -'],
    options: uploadOptions,
    run: (context, args, flags) => upload(context, args, flags, 'patch'),
  });
}

const uploadOptions = (command: Command): Command =>
  batchOptions(command)
    .option('--key <key>', 'name of this run, to continue it later (a random one)')
    .option('--in-flight <n>', 'batches at work at a time', toNumber(1, 64), 4)
    .option('--batch-size <n>', 'resources of one batch', toNumber(1, 1000), 1000)
    .option('--detach', 'do not wait for the end once all is sent')
    .option('--dry-run', 'only say what would become of the resources; each batch is looked at without the others')
    .option('--ignore-unknown-fields', 'accept fields that the schema does not name, without saving them');

async function upload(
  context: Context,
  [schema = '', file = '']: readonly string[],
  { key = randomUUID(), dryRun, detach, ...flags }: UploadFlags,
  operation: 'upload' | 'patch',
): Promise<number> {
  const { output } = context;
  const content = resourcesOf(await openContent(file));
  const total = output.terminal.err.isTTY === true ? await countLines(file) : null;
  const { batchSize, inFlight, wait, onconflict, ignoreUnknownFields } = flags;
  const how = {
    operation,
    batchSize,
    ...batchOf(flags),
    ...(wait !== undefined && { dependencyWaitTimeout: wait }),
    ...(onconflict && { onconflict }),
    ...(ignoreUnknownFields && { ignoreUnknownFields }),
  };
  if (dryRun) return previewWrites(context, schema, content, how, total);
  return send(
    context,
    schema,
    continuable(context, await isRegular(file), content, key),
    { ...how, key, inFlight, ...(detach && { detach }) },
    total,
  );
}

/** The same resources; once the first is read, Ctrl-C says how to continue. */
async function* continuable(
  { onInterrupt, args }: Context,
  isThereAgain: boolean,
  resources: AsyncIterable<JsonText>,
  key: string,
): AsyncGenerator<JsonText, void> {
  const again = isThereAgain ? 'to continue' : 'to continue, send the same lines again with';
  let isBegun = false;
  for await (const resource of resources) {
    if (!isBegun) onInterrupt(() => [`${again}: ${commandLine(args, { '--key': key })}`]);
    isBegun = true;
    yield resource;
  }
}

async function send(
  context: Context,
  schema: string,
  resources: AsyncIterable<JsonText>,
  how: UploadAllOptions & { readonly operation: 'upload' | 'patch' },
  total: number | null,
): Promise<number> {
  const { client, output, signal } = context;
  const bar = new ProgressBar(output.terminal, { label: how.operation, unit: 'records' });
  const batches = new Map<string, UploadedBatch>();
  const onBatch = (batch: UploadedBatch): void => {
    batches.set(batch.batchId, batch);
    bar.set(progressOf([...batches.values()], total));
  };
  try {
    const summary = await client.uploadAll(schema, resources, { ...how, signal, onBatch });
    bar.stop();
    await output.one(summary, linesOf(summary, output.colours));
    await showFailures(context, [...batches.values()]);
    const { failed, expired, cancelled } = summary.counts;
    return failed + expired + cancelled === 0 ? EXIT.done : EXIT.notAll;
  } finally {
    bar.stop();
  }
}

function progressOf(batches: readonly UploadedBatch[], total: number | null) {
  let [done, failed] = [0, 0];
  for (const { state } of batches) {
    done += state?.progress.processedRecords ?? 0;
    failed += state?.progress.failedRecords ?? 0;
  }
  return { done, total, ...(failed > 0 && { note: `${formatNumber(failed)} failed` }) };
}

function linesOf({ key, total, batchIds, counts, actions }: UploadSummary, colours: Context['output']['colours']) {
  const isGood = counts.failed + counts.expired + counts.cancelled === 0;
  return [
    ['records', `${formatNumber(total)} in ${formatNumber(batchIds.length)} batches`],
    ['outcomes', (isGood ? colours.green : colours.yellow)(textOfCounts(counts))],
    ['effects', textOfCounts(actions)],
    ['key', key],
  ] as const;
}

/** For people: the first items that failed, by their place in the file. */
async function showFailures({ client, output, signal }: Context, batches: readonly UploadedBatch[]): Promise<void> {
  if (output.form !== 'text' || output.terminal.out.isTTY !== true) return;
  const failed = batches
    .filter(({ state }) => (state?.progress.failedRecords ?? 0) > 0)
    .sort((a, b) => a.first - b.first);
  if (failed.length === 0) return;
  const items = (async function* () {
    for (const { batchId, first } of failed) {
      for await (const item of client.batch(batchId).failed({ signal })) yield { ...item, index: first + item.index };
    }
  })();
  output.say('');
  await output.list(firstOf(items, SHOWN_FAILURES), ITEM_COLUMNS, '');
  const others = failed.length > 1 ? `, and of ${failed.length - 1} other batches` : '';
  output.say(`all of them: drover batch items ${failed[0]?.batchId} --status failed${others}`);
}
