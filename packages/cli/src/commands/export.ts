import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ContentFormat, piecesOf } from '@drover/client';
import { type Command, Option } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import { ProgressBar } from '../terminal/progress.ts';
import { addCommand } from './add-command.ts';

interface ExportFlags {
  readonly format?: ContentFormat;
  readonly envelope?: true;
  readonly output?: string;
}

/** `drover export` */
export function addExportCommand(program: Command, parts: ProgramParts): void {
  addCommand<ExportFlags>(program, parts, {
    usage: 'export <schema>',
    summary: 'Write all resources of a schema definition to standard output',
    more: 'By external id, as newline-delimited JSON or CSV. What was exported can be imported as it is.',
    examples: ['drover export city > cities.ndjson', 'drover export city --format csv --output cities.csv'],
    options: (command) =>
      command
        .addOption(
          new Option('--format <format>', 'format (ndjson, or by the name of --output)').choices(['ndjson', 'csv']),
        )
        .option('--envelope', 'with id, version and dates')
        .option('-o, --output <file>', 'write to a file, which is there once it is whole'),
    run: exportResources,
  });
}

async function exportResources(
  context: Context,
  [schema = '']: readonly string[],
  flags: ExportFlags,
): Promise<number> {
  const { client, output, signal } = context;
  const format = flags.format ?? (flags.output && /\.csv$/i.test(flags.output) ? 'csv' : 'ndjson');
  const stream = await client.resources.export(schema, { format, signal, ...(flags.envelope && { envelope: true }) });
  if (flags.output !== undefined) return toFile(context, piecesOf(stream), flags.output);
  await output.content(piecesOf(stream));
  return EXIT.done;
}

async function toFile({ output, signal }: Context, pieces: AsyncIterable<Uint8Array>, file: string): Promise<number> {
  const bar = new ProgressBar(output.terminal, { label: 'export', unit: 'bytes' });
  const unfinished = `${file}.unfinished`;
  let done = 0;
  const counted = (async function* () {
    for await (const piece of pieces) {
      done += piece.length;
      bar.set({ done, total: null });
      yield piece;
    }
  })();
  try {
    await pipeline(Readable.from(counted), createWriteStream(unfinished), { signal });
    await rename(unfinished, file);
    return EXIT.done;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw signal.aborted ? signal.reason : error;
  } finally {
    bar.stop();
  }
}
