import type { BatchFilter, BulkOperation, BulkVerb } from '@drover/client';
import type { Command } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import { firstOf, type Limited, limitOption } from '../options/limit.ts';
import { BULK_COLUMNS, linesOfBulk } from '../terminal/batch-text.ts';
import { sameConnection } from '../terminal/command-line.ts';
import { confirm } from '../terminal/confirm.ts';
import { followBulk } from '../terminal/follow.ts';
import { formatNumber } from '../terminal/progress.ts';
import { addCommand } from './add-command.ts';

/** How a bulk operation is asked for. */
export interface BulkFlags {
  readonly dryRun?: true;
  readonly detach?: true;
}

const QUESTIONS = {
  cancel: (batches) => `Cancel ${batches}?`,
  suspend: (batches) => `Suspend ${batches}?`,
  resume: (batches) => `Resume ${batches}?`,
  retry: (batches) => `Run what failed of ${batches} again?`,
  delete: (batches) => `Remove ${batches} with their items for good?`,
} as const satisfies Record<BulkVerb, (batches: string) => string>;

/** Does it to all batches that fit the filter: says how many, asks, and follows it to its end. @returns the exit code. */
export async function runBulk(
  context: Context,
  verb: BulkVerb,
  filter: BatchFilter,
  { dryRun, detach }: BulkFlags,
): Promise<number> {
  const { client, output, options, signal, onInterrupt, args } = context;
  if (dryRun || !options.yes) {
    const preview = await client.bulkOperations.preview(verb, filter, { signal });
    const { matched, totalIsCapped } = preview;
    const number = `${totalIsCapped ? 'more than ' : ''}${formatNumber(matched)}`;
    if (dryRun || matched === 0) {
      await output.one(preview, [['matched', number]]);
      return EXIT.done;
    }
    await confirm(output, QUESTIONS[verb](`${number} ${matched === 1 ? 'batch' : 'batches'}`), false);
  }
  onInterrupt(() => [`the operation may have been accepted: ${sameConnection(args, 'bulk', 'list')}`]);
  const started = await client.bulkOperations.start(verb, filter, { signal });
  if (!detach) return followBulk(context, started.bulkOperationId);
  await show(output, started);
  return EXIT.done;
}

/** `drover bulk …` */
export function addBulkCommands(program: Command, parts: ProgramParts): void {
  const bulk = program.command('bulk').description('Operations on many batches: what drover batch does by filter.');
  addCommand<Limited>(bulk, parts, {
    usage: 'list',
    summary: 'List them, newest first',
    examples: ['drover bulk list', 'drover bulk list --limit 1 --json | jq -r .[0].bulkOperationId'],
    options: limitOption,
    run: async ({ client, output, signal }, _, { limit }) => {
      await output.list(firstOf(client.bulkOperations.list({ signal }), limit), BULK_COLUMNS, 'there is none');
      return EXIT.done;
    },
  });
  addCommand(bulk, parts, {
    usage: 'get <operation>',
    summary: 'Show how far it is',
    examples: ['drover bulk get 0198…', 'drover bulk get 0198… --json | jq .failed'],
    run: async ({ client, output, signal }, [id = '']) => {
      await show(output, await client.bulkOperations.get(id, { signal }));
      return EXIT.done;
    },
  });
  addCommand(bulk, parts, {
    usage: 'cancel <operation>',
    summary: 'End it: batches whose turn has not come are left as they are',
    examples: ['drover bulk cancel 0198…'],
    run: async ({ client, output, signal }, [id = '']) => {
      await show(output, await client.bulkOperations.cancel(id, { signal }));
      return EXIT.done;
    },
  });
  addCommand(bulk, parts, {
    usage: 'watch <operation>',
    summary: 'Follow it to its end',
    more: 'Ends with 0 if it was done to every batch, else with 1. With --ndjson each state is a line.',
    examples: ['drover bulk watch 0198…'],
    run: (context, [id = '']) => followBulk(context, id),
  });
}

const show = (output: Context['output'], state: BulkOperation): Promise<void> =>
  output.one(state, linesOfBulk(state, output.colours));
