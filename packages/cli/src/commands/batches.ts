import type { Batch, BatchListOptions, ItemListOptions } from '@drover/client';
import { type Command, Option } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import { BATCH_COLUMNS, ITEM_COLUMNS, linesOfWork } from '../terminal/batch-text.ts';
import { confirm } from '../terminal/confirm.ts';
import { followBatch } from '../terminal/follow.ts';
import { addCommand } from './add-command.ts';
import { firstOf, type Limited, limitOption } from './limit.ts';

const BATCH_STATUSES = ['queued', 'processing', 'waiting', 'success', 'partial_success', 'failed', 'cancelled'];
const ITEM_STATUSES = ['queued', 'pending', 'succeeded', 'failed', 'expired', 'skipped', 'cancelled'];

/** What a control request does, for its help. */
const CONTROLS = {
  suspend: 'Start nothing new of a batch until it is resumed',
  resume: 'Let a suspended batch continue',
  cancel: 'Cancel a batch; what was applied stays',
  retry: 'Run failed, expired and cancelled items of a batch again',
} as const;

/** `drover batch …` */
export function addBatchCommands(program: Command, parts: ProgramParts): void {
  const batch = program.command('batch').description('Batches: list, follow and control them.');
  addCommand<Limited & Pick<BatchListOptions, 'status' | 'schema'>>(batch, parts, {
    usage: 'list',
    summary: 'List batches, newest first',
    examples: ['drover batch list --status failed', 'drover batch list --ndjson --limit all | jq -r .batchId'],
    options: (command) =>
      limitOption(command)
        .addOption(new Option('--status <status>', 'only batches in this status').choices(BATCH_STATUSES))
        .option('--schema <schema>', 'only batches of this schema definition'),
    run: async ({ client, output, signal }, _, { limit, status, schema }) => {
      const list = client.batches.list({ signal, ...(status && { status }), ...(schema && { schema }) });
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
  for (const verb of ['suspend', 'resume', 'cancel', 'retry'] as const) {
    addCommand(batch, parts, {
      usage: `${verb} <batch>`,
      summary: CONTROLS[verb],
      examples: [`drover batch ${verb} 0198…`],
      run: async ({ client, output, signal }, [batchId = '']) => {
        await show(output, await client.batches[verb](batchId, { signal }));
        return EXIT.done;
      },
    });
  }
  addCommand(batch, parts, {
    usage: 'undo <batch>',
    summary: 'Take back what a batch has changed, where nobody has changed it since',
    more: 'For batches that were started with --undoable. It is a batch of its own, and is followed to its end.',
    examples: ['drover batch undo 0198…'],
    run: async (context, [batchId = '']) => {
      const { client, output, options, signal } = context;
      const { actions, schemaName, operation } = await client.batches.get(batchId, { signal });
      const effects = Object.entries(actions).filter(([action, count]) => count > 0 && action !== 'unchanged');
      const numbers = effects.map(([action, count]) => `${count} ${action}`).join(', ') || 'nothing';
      await confirm(output, `Take back the ${operation} of ${schemaName}: ${numbers}?`, options.yes === true);
      return followBatch(context, (await client.batches.undo(batchId, { signal })).batchId);
    },
  });
  addCommand(batch, parts, {
    usage: 'delete <batch>',
    summary: 'Remove a batch, its items and its workflow for good; resources stay',
    examples: ['drover batch delete 0198…', 'drover batch delete 0198… --yes'],
    run: async ({ client, output, options, signal }, [batchId = '']) => {
      const found = await client.batches.get(batchId, { signal });
      const { totalRecords } = found.progress;
      const question = `Remove the ${found.status} ${found.operation} of ${totalRecords} ${found.schemaName} for good?`;
      await confirm(output, question, options.yes === true);
      await client.batches.delete(batchId, { signal });
      await output.one({ batchId, deleted: true }, [['removed', batchId]]);
      return EXIT.done;
    },
  });
}

const show = (output: Context['output'], batch: Batch): Promise<void> =>
  output.one(batch, linesOfWork(batch, ['batch', batch.batchId], output.colours));
