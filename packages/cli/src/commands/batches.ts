import type { Batch, BatchFilter, ItemListOptions } from '@drover/client';
import { type Command, Option } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { type FilterFlags, filterOf, filterOptions } from '../options/batch-filter.ts';
import { firstOf, type Limited, limitOption } from '../options/limit.ts';
import { BATCH_COLUMNS, ITEM_COLUMNS, linesOfPreview, linesOfWork } from '../terminal/batch-text.ts';
import { confirm } from '../terminal/confirm.ts';
import { followBatch } from '../terminal/follow.ts';
import { addCommand } from './add-command.ts';
import { type BulkFlags, runBulk } from './bulk.ts';

const ITEM_STATUSES = ['queued', 'pending', 'succeeded', 'failed', 'expired', 'skipped', 'cancelled'];

/** What a control request does, for its help. */
const CONTROLS = {
  suspend: 'Start nothing new of a batch until it is resumed',
  resume: 'Let a suspended batch continue',
  cancel: 'Cancel a batch; what was applied stays',
  retry: 'Run failed, expired and cancelled items of a batch again',
  delete: 'Remove a batch, its items and its workflow for good; resources stay',
} as const;
const BY_FILTER =
  'With filters in place of an id: of all batches that fit them now. It says how many, asks, and is followed to its end, which is certain to come; --dry-run only says how many.';

/** `drover batch …` */
export function addBatchCommands(program: Command, parts: ProgramParts): void {
  const batch = program.command('batch').description('Batches: list, follow and control them.');
  addCommand<Limited & FilterFlags>(batch, parts, {
    usage: 'list',
    summary: 'List batches, newest first',
    examples: [
      'drover batch list --status failed,partial_success',
      'drover batch list --label nightly --created-after 2026-11-01',
      'drover batch list --ndjson --limit all | jq -r .batchId',
    ],
    options: (command) => filterOptions(limitOption(command)),
    run: async ({ client, output, signal }, _, { limit, ...flags }) => {
      const list = client.batches.list({ signal, ...textOf(filterOf(flags)) });
      await output.list(firstOf(list, limit), BATCH_COLUMNS, 'there is no such batch');
      return EXIT.done;
    },
  });
  addCommand(batch, parts, {
    usage: 'get <batch>',
    summary: 'Show a batch',
    examples: ['drover batch get 0198…', 'drover batch get 0198… --json | jq .counts'],
    run: async ({ client, output, signal }, [batchId = '']) => {
      await show(output, await client.batches.get(batchId, { signal, includePendingDetails: true }));
      return EXIT.done;
    },
  });
  addCommand(batch, parts, {
    usage: 'watch <batch>',
    summary: 'Follow a batch to its end',
    more: 'Ends with 0 if every item succeeded or was skipped, else with 1. With --ndjson each state is a line.',
    examples: ['drover batch watch 0198…', 'drover batch watch 0198… && echo all of it'],
    run: (context, [batchId = '']) => followBatch(context, batchId),
  });
  addCommand<Limited & Pick<ItemListOptions, 'status'>>(batch, parts, {
    usage: 'items <batch>',
    summary: 'List the items of a batch with their outcomes',
    examples: [
      'drover batch items 0198… --status failed',
      'drover batch items 0198… --limit all --ndjson > items.ndjson',
    ],
    options: (command) =>
      limitOption(command).addOption(
        new Option('--status <status>', 'only items in this status').choices(ITEM_STATUSES),
      ),
    run: async ({ client, output, signal }, [batchId = ''], { limit, status }) => {
      const items = client.batches.items(batchId, { signal, ...(status && { status }) });
      await output.list(firstOf(items, limit), ITEM_COLUMNS, 'there is no such item');
      return EXIT.done;
    },
  });
  addControls(batch, parts);
}

function addControls(batch: Command, parts: ProgramParts): void {
  for (const verb of ['suspend', 'resume', 'cancel', 'retry', 'delete'] as const) {
    addCommand<FilterFlags & BulkFlags>(batch, parts, {
      usage: `${verb} [batch]`,
      summary: CONTROLS[verb],
      more: BY_FILTER,
      examples: [`drover batch ${verb} 0198…`, `drover batch ${verb} --label nightly ${STATUS_FOR[verb]}`],
      options: (command) =>
        filterOptions(command)
          .option('--dry-run', 'with filters: only say how many batches fit them')
          .option('--detach', 'with filters: do not wait for the end'),
      run: (context, [batchId], { dryRun, detach, ...flags }) => {
        const filter = filterOf(flags);
        const how = { ...(dryRun && { dryRun }), ...(detach && { detach }) };
        const isOne = batchId !== undefined && Object.keys({ ...filter, ...how }).length === 0;
        if (isOne) return verb === 'delete' ? deleteOne(context, batchId) : control(context, verb, batchId);
        if (batchId === undefined && Object.keys(filter).length > 0) return runBulk(context, verb, filter, how);
        throw new UsageError('say which: either the id of a batch, or filters such as --label and --status');
      },
    });
  }
  addCommand<{ readonly dryRun?: true }>(batch, parts, {
    usage: 'undo <batch>',
    summary: 'Take back what a batch has changed, where nobody has changed it since',
    more: 'For batches that were started with --undoable. It is a batch of its own, and is followed to its end.',
    examples: ['drover batch undo 0198… --dry-run', 'drover batch undo 0198…'],
    options: (command) => command.option('--dry-run', 'only say what would be taken back'),
    run: (context, [batchId = ''], { dryRun }) => (dryRun ? previewUndo(context, batchId) : undo(context, batchId)),
  });
}

const STATUS_FOR = {
  suspend: '--status queued,processing,waiting',
  resume: '--status queued,processing,waiting',
  cancel: '--status waiting --yes',
  retry: '--status failed,partial_success',
  delete: '--status success,cancelled --dry-run',
} as const;

async function control(
  { client, output, signal }: Context,
  verb: 'suspend' | 'resume' | 'cancel' | 'retry',
  batchId: string,
): Promise<number> {
  await show(output, await client.batches[verb](batchId, { signal }));
  return EXIT.done;
}

async function undo(context: Context, batchId: string): Promise<number> {
  const { client, output, options, signal } = context;
  const { actions, schemaName, operation } = await client.batches.get(batchId, { signal });
  const effects = Object.entries(actions).filter(([action, count]) => count > 0 && action !== 'unchanged');
  const numbers = effects.map(([action, count]) => `${count} ${action}`).join(', ') || 'nothing';
  await confirm(output, `Take back the ${operation} of ${schemaName}: ${numbers}?`, options.yes === true);
  return followBatch(context, (await client.batches.undo(batchId, { signal })).batchId);
}

async function previewUndo({ client, output, signal }: Context, batchId: string): Promise<number> {
  const preview = await client.batches.previewUndo(batchId, { signal });
  await output.one(preview, linesOfPreview(preview.itemsTotal, preview, output.colours));
  const left = preview.items.filter(({ action }) => action !== 'reverted');
  await output.listForPeople(left, ITEM_COLUMNS);
  return preview.counts.failed === 0 ? EXIT.done : EXIT.notAll;
}

async function deleteOne({ client, output, options, signal }: Context, batchId: string): Promise<number> {
  const { status, operation, schemaName, progress } = await client.batches.get(batchId, { signal });
  const what = `${operation} of ${progress.totalRecords} ${schemaName ?? 'process instances'}`;
  await confirm(output, `Remove the ${status} ${what} for good?`, options.yes === true);
  await client.batches.delete(batchId, { signal });
  await output.one({ batchId, deleted: true }, [['removed', batchId]]);
  return EXIT.done;
}

/** In a query several values are a text with commas. */
const textOf = (filter: BatchFilter): Record<string, string> =>
  Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, String(value)]));

const show = (output: Context['output'], batch: Batch): Promise<void> =>
  output.one(batch, linesOfWork(batch, ['batch', batch.batchId], output.colours));
