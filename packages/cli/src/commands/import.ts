import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ImportSource } from '@drover/client';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { countLines, isRegular, openContent } from '../files/lines.ts';
import { type KeptFlags, keptOf, keptOptions } from '../options/about.ts';
import { toNumber } from '../options/numbers.ts';
import { previewImport } from '../previews/import.ts';
import { forgetImport, noteImport, startedImport } from '../settings/started-imports.ts';
import { commandLine, sameConnection } from '../terminal/command-line.ts';
import { followImport } from '../terminal/follow.ts';
import { ProgressBar } from '../terminal/progress.ts';
import { addCommand } from './add-command.ts';

interface ImportFlags extends KeptFlags {
  readonly schema?: string;
  readonly format?: 'ndjson' | 'csv';
  readonly map?: Readonly<Record<string, string>>;
  readonly delimiter?: ',' | ';' | 'tab';
  readonly operation?: 'upload' | 'patch' | 'delete';
  readonly cascade?: true;
  readonly onconflict?: 'upsert' | 'reject';
  readonly ignoreUnknownFields?: true;
  readonly wait?: string;
  readonly validateOnly?: true;
  readonly maxPerSecond?: number;
  readonly dryRun?: true;
  readonly resume?: string;
  readonly detach?: true;
  readonly partBytes: number;
}

/** What is sent, and how the service is to read it. */
interface Content {
  readonly source: ImportSource;
  readonly file: string;
  readonly format: 'ndjson' | 'csv';
  readonly partBytes: number;
  /** Null: it comes from standard input. */
  readonly size: number | null;
}

const DEFAULT_PART_BYTES = 8 * 1024 ** 2;

/** `drover import` */
export function addImportCommand(program: Command, parts: ProgramParts): void {
  addCommand<ImportFlags>(program, parts, {
    usage: 'import [file]',
    summary: 'Import a file of any size',
    more: 'FILE is newline-delimited JSON or CSV with a header line; - is standard input. Rows may refer to each other in any order.\nIt is sent in parts: an import that was interrupted continues with --resume, and sends what is missing.',
    examples: [
      'drover import cities.csv --schema city',
      "drover import cities.csv --schema city --map 'Full name=name' --map Lat=location.lat",
      'drover import cities.csv --schema city --dry-run',
      'drover import --resume 0198…',
      'zcat cities.ndjson.gz | drover import - --schema city --format ndjson',
    ],
    options: importOptions,
    run: runImport,
  });
}

const importOptions = (command: Command): Command =>
  keptOptions(command)
    .option('--schema <schema>', 'schema definition of the rows; without it each row names its own')
    .addOption(new Option('--format <format>', 'format of the file (by its name)').choices(['ndjson', 'csv']))
    .option('--map <column=field>', 'the field of a column of CSV; again for each', addMapping)
    .addOption(new Option('--delimiter <delimiter>', 'of CSV (found in the header)').choices([',', ';', 'tab']))
    .addOption(new Option('--operation <what>', 'what rows do').choices(['upload', 'patch', 'delete']))
    .addOption(
      new Option('--onconflict <what>', 'what becomes of a resource that exists').choices(['upsert', 'reject']),
    )
    .option('--cascade', 'of rows that delete: also what refers to their resources')
    .option('--ignore-unknown-fields', 'accept fields that the schema does not name, without saving them')
    .option('--wait <seconds>', 'how long rows wait for those that they refer to (to the end of the import)')
    .option('--validate-only', 'check all rows, and write none')
    .option('--max-per-second <n>', 'rows that are carried out in a second, at most', toNumber(1, 1_000_000))
    .option('--dry-run', 'only say what would become of the first rows, up to 1000')
    .option('--resume <import>', 'continue an import that was interrupted')
    .option('--detach', 'do not wait for the end once it is sent')
    .option('--part-bytes <n>', 'size of a part', toPartBytes, DEFAULT_PART_BYTES);

function addMapping(value: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = value.lastIndexOf('=');
  if (at < 1 || at === value.length - 1) throw new InvalidArgumentError('COLUMN=FIELD');
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

function toPartBytes(value: string): number {
  const bytes = /^\d{1,8}$/.test(value) ? Number(value) : Number.NaN;
  if (bytes >= 1024 && bytes <= 64 * 1024 ** 2) return bytes;
  throw new InvalidArgumentError('a number of bytes, from 1024 to 67108864');
}

async function runImport(context: Context, [file]: readonly string[], flags: ImportFlags): Promise<number> {
  const { client, output, connection, signal } = context;
  if (flags.resume !== undefined && flags.dryRun) throw new UsageError('either --resume ID, or --dry-run');
  const content = await contentOf(context, file, flags);
  if (flags.dryRun) return previewImport(context, content, optionsOf(flags));
  const bar = new ProgressBar(output.terminal, { label: 'sending', unit: 'bytes' });
  let noted: Promise<void> = Promise.resolve();
  try {
    const importId = await client.import(content.source, {
      ...optionsOf(flags),
      format: content.format,
      partBytes: content.partBytes,
      ...(flags.resume && { resume: flags.resume }),
      signal,
      onStart: (id) => {
        context.onInterrupt(() => howToContinue(context, id, content));
        if (content.size === null || flags.resume) return;
        noted = noteStart(id, content, connection).catch((error: unknown) => {
          output.say(`it cannot be noted for --resume: ${error instanceof Error ? error.message : String(error)}`);
        });
      },
      onProgress: (bytes) => bar.set({ done: bytes, total: content.size }),
    });
    await noted;
    await forgetImport(importId);
    bar.stop();
    if (!flags.detach) {
      const rows =
        content.format === 'ndjson' && output.terminal.err.isTTY === true ? await countLines(content.file) : null;
      return followImport(context, importId, rows);
    }
    await output.one({ importId }, [['import', importId]]);
    return EXIT.done;
  } finally {
    bar.stop();
    await noted;
  }
}

function optionsOf({
  schema,
  cascade,
  map,
  wait,
  delimiter,
  operation,
  onconflict,
  ignoreUnknownFields,
  validateOnly,
  maxPerSecond,
  ...kept
}: ImportFlags) {
  return {
    ...keptOf(kept),
    ...(schema && { schema }),
    ...(cascade && { cascade }),
    ...(map && { columns: map }),
    ...(wait !== undefined && { dependencyWaitTimeout: wait }),
    ...(delimiter && { delimiter }),
    ...(operation && { operation }),
    ...(onconflict && { onconflict }),
    ...(ignoreUnknownFields && { ignoreUnknownFields }),
    ...(validateOnly && { validateOnly }),
    ...(maxPerSecond !== undefined && { maxPerSecond }),
  };
}

function howToContinue({ args }: Context, importId: string, { size }: Content): string[] {
  if (size !== null) return [`to continue: ${sameConnection(args, 'import', '--resume', importId)}`];
  return [`to continue, send the same content again with: ${commandLine(args, { '--resume': importId })}`];
}

async function noteStart(importId: string, content: Content, connection: Context['connection']): Promise<void> {
  const { file, format, partBytes } = content;
  const { size, mtimeMs } = await stat(file);
  const { url, tenant } = connection;
  await noteImport({
    importId,
    file,
    size,
    modifiedAt: Math.round(mtimeMs),
    format,
    partBytes,
    url,
    ...(tenant && { tenant }),
  });
}

async function contentOf(context: Context, file: string | undefined, flags: ImportFlags): Promise<Content> {
  if (flags.resume !== undefined && (file === undefined || (await isRegular(file))))
    return resumedContent(context, flags.resume, file);
  if (file === undefined) throw new UsageError('say which file to import, or --resume ID');
  const format = flags.format ?? formatOf(file);
  const { partBytes } = flags;
  if (!(await isRegular(file)))
    return { source: await notEmpty(await openContent(file), file), file, format, partBytes, size: null };
  const { size } = await stat(file);
  if (size === 0) throw new UsageError(`${file} is empty`);
  return { source: await openAsBlob(file), file: resolve(file), format, partBytes, size };
}

/** The same, once there is something. @throws UsageError if there never is. */
async function notEmpty(content: AsyncIterable<Uint8Array>, file: string): Promise<AsyncIterable<Uint8Array>> {
  const pieces = content[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done) throw new UsageError(`${file === '-' ? 'standard input' : file} is empty`);
  return (async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => pieces };
  })();
}

function formatOf(file: string): 'ndjson' | 'csv' {
  if (/\.csv$/i.test(file)) return 'csv';
  if (/\.(ndjson|jsonl)$/i.test(file)) return 'ndjson';
  throw new UsageError(`the name of ${file} does not say its format: --format ndjson, or --format csv`);
}

/** @throws UsageError if the file is another one than before, or nothing is known of the import here. */
async function resumedContent({ connection }: Context, importId: string, given: string | undefined): Promise<Content> {
  const started = await startedImport(importId);
  if (started === null)
    throw new UsageError(
      `import ${importId} was not begun here, or is sent already`,
      `how it is doing: drover imports get ${importId}`,
    );
  const { file, size, modifiedAt, format, partBytes, url, tenant } = started;
  if (given !== undefined && resolve(given) !== file) throw new UsageError(`import ${importId} is of ${file}`);
  if (url !== connection.url || tenant !== connection.tenant)
    throw new UsageError(`import ${importId} was begun at ${url}${tenant ? `, for tenant ${tenant}` : ''}`);
  const now = await stat(file);
  if (now.size !== size || Math.round(now.mtimeMs) !== modifiedAt)
    throw new UsageError(`${file} has changed since import ${importId} was begun: import it anew`);
  return { source: await openAsBlob(file), file, format, partBytes, size };
}
