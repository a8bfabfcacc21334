import { type Deletion, type DeletionPreview, DroverError } from '@drover/client';
import type { Command } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { idsOf } from '../files/lines.ts';
import { type BatchFlags, batchOf, batchOptions } from '../options/about.ts';
import { sameConnection } from '../terminal/command-line.ts';
import { confirm } from '../terminal/confirm.ts';
import { followBatch } from '../terminal/follow.ts';
import { formatNumber } from '../terminal/progress.ts';
import type { Column } from '../terminal/table.ts';
import { addCommand } from './add-command.ts';

interface DeleteFlags extends BatchFlags {
  readonly ids?: string;
  readonly all?: true;
  readonly cascade?: true;
  readonly dryRun?: true;
  readonly detach?: true;
}

const COLUMNS: readonly Column<DeletionPreview['deletions'][number]>[] = [
  { name: 'SCHEMA', of: ({ schemaDefinitionName }) => schemaDefinitionName },
  { name: 'TO DELETE', of: ({ count }) => count },
];

/** `drover delete` */
export function addDeleteCommand(program: Command, parts: ProgramParts): void {
  addCommand<DeleteFlags>(program, parts, {
    usage: 'delete <schema>',
    summary: 'Delete resources',
    more: 'Says first how many resources would go, and asks. A resource that another one refers to stays, unless --cascade deletes that one too.',
    examples: [
      'drover delete city --ids ids.txt --dry-run',
      'drover delete city --all --yes',
      'drover export city | jq -r .externalId | drover delete city --ids - --cascade --yes',
    ],
    options: (command) =>
      batchOptions(command)
        .option('--ids <file>', 'external ids, one on each line, or a JSON array; - is standard input')
        .option('--all', 'all resources of the schema definition')
        .option('--cascade', 'also delete what refers to them, and what refers to that')
        .option('--dry-run', 'only say what would be deleted')
        .option('--detach', 'do not wait for the end'),
    run: deleteResources,
  });
}

async function deleteResources(
  context: Context,
  [schema = '']: readonly string[],
  flags: DeleteFlags,
): Promise<number> {
  const { client, output, options, signal, onInterrupt, args } = context;
  const { resourcesPerActivity, ...about } = batchOf(flags);
  const deletion = {
    ...(await deletionOf(flags)),
    ...(resourcesPerActivity !== undefined && { resourcesPerActivity }),
  };
  const isSure = options.yes === true && !flags.dryRun;
  const preview = await client.resources.previewDelete(schema, deletion, { signal }).catch((error: unknown) => {
    // a delete may be larger than what can be counted in advance
    if (!isSure || !(error instanceof DroverError) || error.status !== 503) throw error;
    output.say(`not counted first: ${error.message}`);
    return null;
  });
  if (preview !== null && (flags.dryRun || output.form === 'text'))
    await showPreview(context, preview, flags.dryRun === true);
  if (flags.dryRun) return EXIT.done;
  if (flags.ids === '-' && !options.yes)
    throw new UsageError('standard input has the ids, so nobody can be asked: say --yes');
  const count = preview?.totalDeletions ?? 0;
  await confirm(output, `Delete ${formatNumber(count)} ${count === 1 ? 'resource' : 'resources'} for good?`, isSure);
  onInterrupt(() => [`the delete may have been accepted: ${sameConnection(args, 'batch', 'list')}`]);
  const { batchId } = await client.resources.delete(schema, deletion, { signal, ...about });
  if (!flags.detach) return followBatch(context, batchId);
  await output.one({ batchId }, [['batch', batchId]]);
  return EXIT.done;
}

async function deletionOf({ ids, all, cascade: isCascade }: DeleteFlags): Promise<Deletion> {
  if ((ids === undefined) === (all === undefined))
    throw new UsageError('say what to delete: either --ids FILE, or --all');
  const cascade = isCascade === true;
  if (ids === undefined) return { deleteAll: true, cascade };
  const externalIds = await idsOf(ids);
  if (externalIds.length === 0) throw new UsageError(`${ids} holds no ids`);
  return { externalIds, cascade };
}

/** On standard output if it is the result, else for people. */
async function showPreview({ output }: Context, preview: DeletionPreview, isResult: boolean): Promise<void> {
  const rest = [
    ...(preview.skipped > 0 ? [`${formatNumber(preview.skipped)} stay, as others refer to them`] : []),
    ...(preview.notFound > 0 ? [`${formatNumber(preview.notFound)} are not there`] : []),
  ];
  if (!isResult) {
    for (const { schemaDefinitionName, count } of preview.deletions)
      output.say(`${formatNumber(count)} ${schemaDefinitionName} would be deleted`);
    for (const line of rest) output.say(line);
    return;
  }
  if (output.form === 'text') {
    await output.list(preview.deletions, COLUMNS, 'nothing would be deleted');
    for (const line of rest) output.say(line);
  } else await output.one(preview, []);
}
