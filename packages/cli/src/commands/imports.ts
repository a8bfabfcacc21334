import type { Import, ImportListOptions, ImportResultOptions } from '@drover/client';
import { piecesOf } from '@drover/client';
import { type Command, Option } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import { firstOf, type Limited, limitOption } from '../options/limit.ts';
import { BATCH_COLUMNS, IMPORT_COLUMNS, linesOfPreview, linesOfWork, textOfCounts } from '../terminal/batch-text.ts';
import { confirm } from '../terminal/confirm.ts';
import { followBulk, followImport } from '../terminal/follow.ts';
import { formatNumber } from '../terminal/progress.ts';
import { addCommand } from './add-command.ts';

const STATUSES = ['queued', 'processing', 'waiting', 'success', 'partial_success', 'failed', 'cancelled'];
const ROW_STATUSES = ['queued', 'pending', 'succeeded', 'failed', 'expired', 'skipped', 'cancelled'];

const CONTROLS = {
  suspend: 'Cut and apply nothing more of an import until it is resumed',
  resume: 'Let a suspended import continue',
  cancel: 'Cancel an import; what was applied stays',
  retry: 'Run failed, expired and cancelled rows of an import again',
} as const;

/** `drover imports …` */
export function addImportsCommands(program: Command, parts: ProgramParts): void {
  const imports = program.command('imports').description('Imports: list, follow and control them.');
  addCommand<Limited & Pick<ImportListOptions, 'status' | 'label'>>(imports, parts, {
    usage: 'list',
    summary: 'List imports, newest first',
    examples: ['drover imports list', 'drover imports list --label cities --json'],
    options: (command) =>
      limitOption(command)
        .addOption(new Option('--status <status>', 'only imports in this status').choices(STATUSES))
        .option('--label <label>', 'only imports with this label'),
    run: async ({ client, output, signal }, _, { limit, status, label }) => {
      const list = client.imports.list({ signal, ...(status && { status }), ...(label && { label }) });
      await output.list(firstOf(list, limit), IMPORT_COLUMNS, 'there is no such import');
      return EXIT.done;
    },
  });
  addCommand(imports, parts, {
    usage: 'get <import>',
    summary: 'Show an import',
    examples: ['drover imports get 0198…'],
    run: async ({ client, output, signal }, [importId = '']) => {
      await show(output, await client.imports.get(importId, { signal }));
      return EXIT.done;
    },
  });
  addCommand(imports, parts, {
    usage: 'watch <import>',
    summary: 'Follow an import to its end',
    more: 'Ends with 0 if every row succeeded or was skipped, else with 1. With --ndjson each state is a line.',
    examples: ['drover imports watch 0198…'],
    run: (context, [importId = '']) => followImport(context, importId, null),
  });
  addCommand<Limited>(imports, parts, {
    usage: 'batches <import>',
    summary: 'List the batches of an import, in the order of its rows',
    examples: ['drover imports batches 0198… --limit all'],
    options: limitOption,
    run: async ({ client, output, signal }, [importId = ''], { limit }) => {
      await output.list(
        firstOf(client.imports.batches(importId, { signal }), limit),
        BATCH_COLUMNS,
        'there is none yet',
      );
      return EXIT.done;
    },
  });
  addCommand<Pick<ImportResultOptions, 'status'>>(imports, parts, {
    usage: 'results <import>',
    summary: 'Write the rows as they were sent, with their outcomes, to standard output',
    more: 'In the format of the file, CSV or newline-delimited JSON: failed rows can be mended and imported again.',
    examples: ['drover imports results 0198… --status failed > failed.csv'],
    options: (command) =>
      command.addOption(new Option('--status <status>', 'only rows in this status').choices(ROW_STATUSES)),
    run: async ({ client, output, signal }, [importId = ''], { status }) => {
      const results = await client.imports.results(importId, { signal, ...(status && { status }) });
      await output.content(piecesOf(results));
      return EXIT.done;
    },
  });
  addControls(imports, parts);
}

function addControls(imports: Command, parts: ProgramParts): void {
  for (const verb of ['suspend', 'resume', 'cancel', 'retry'] as const) {
    addCommand(imports, parts, {
      usage: `${verb} <import>`,
      summary: CONTROLS[verb],
      examples: [`drover imports ${verb} 0198…`],
      run: async ({ client, output, signal }, [importId = '']) => {
        await show(output, await client.imports[verb](importId, { signal }));
        return EXIT.done;
      },
    });
  }
  addCommand<{ readonly dryRun?: true }>(imports, parts, {
    usage: 'undo <import>',
    summary: 'Take back what an import has changed, where nobody has changed it since',
    more: 'For imports that were started with --undoable. It is a bulk operation on its batches, and is followed to its end.',
    examples: ['drover imports undo 0198… --dry-run', 'drover imports undo 0198…'],
    options: (command) => command.option('--dry-run', 'only say what would be taken back'),
    run: (context, [importId = ''], { dryRun }) => undo(context, importId, dryRun === true),
  });
  addCommand(imports, parts, {
    usage: 'delete <import>',
    summary: 'Remove an import with its batches for good; resources stay',
    examples: ['drover imports delete 0198… --yes'],
    run: async ({ client, output, options, signal }, [importId = '']) => {
      const { status, rowsRead, schemaName, batches } = await client.imports.get(importId, { signal });
      const question = `Remove the ${status} import of ${rowsRead} ${schemaName} with its ${batches.total} batches for good?`;
      await confirm(output, question, options.yes === true);
      await client.imports.delete(importId, { signal });
      await output.one({ importId, deleted: true }, [['removed', importId]]);
      return EXIT.done;
    },
  });
}

async function undo(context: Context, importId: string, isDryRun: boolean): Promise<number> {
  const { client, output, options, signal } = context;
  if (isDryRun || !options.yes) {
    const preview = await client.imports.previewUndo(importId, { signal });
    const { matched, done, skipped, failed, counts, actions } = preview;
    const items = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (isDryRun) {
      await output.one(preview, [
        ['batches', textOfCounts({ matched, 'to undo': done, skipped, ...failed })],
        ...linesOfPreview(items, preview, output.colours),
      ]);
      return counts.failed === 0 && Object.keys(failed).length === 0 ? EXIT.done : EXIT.notAll;
    }
    const what = `${formatNumber(done)} ${done === 1 ? 'batch' : 'batches'}: ${textOfCounts(actions)}`;
    await confirm(output, `Take back what the import has done, by ${what}?`, false);
  }
  const { bulkOperationId } = await client.imports.undo(importId, { signal });
  return followBulk(context, bulkOperationId);
}

const show = (output: Context['output'], state: Import): Promise<void> =>
  output.one(state, linesOfWork(state, ['import', state.importId], output.colours));
