import type { ContentFormat, ImportOptions, ImportPreview, ImportSource } from '@drover/client';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { linesOfPreview } from '../terminal/batch-text.ts';
import { oneLine } from '../terminal/plain.ts';
import type { Column } from '../terminal/table.ts';

const FIELDS: readonly Column<NonNullable<ImportPreview['columns']>[number]>[] = [
  { name: 'COLUMN', of: ({ column }) => column, isKept: true },
  { name: 'FIELD', of: ({ field }) => field ?? '(passed over)', isKept: true },
  { name: 'TYPE', of: ({ type }) => type },
];
const FAULTS: readonly Column<ImportPreview['errors'][number]>[] = [
  { name: 'LINE', of: ({ line }) => line, isKept: true },
  { name: 'EXTERNAL ID', of: ({ externalId }) => externalId },
  { name: 'ERRORS', of: ({ errors }) => errors.map(({ code, message }) => `${code}: ${message}`).join('; ') },
];

/** Says what an import would make of the first rows; nothing is stored. @returns the exit code. */
export async function previewImport(
  { client, output, signal }: Context,
  { source, format }: { readonly source: ImportSource; readonly format: ContentFormat },
  options: ImportOptions,
): Promise<number> {
  const preview = await client.previewImport(source, { ...options, format, signal });
  const { rows, isWhole, faults, columns = [], errors, counts } = preview;
  await output.one(preview, [
    ...linesOfPreview(rows, preview, output.colours),
    ['these are', isWhole ? 'all rows' : 'the first rows'],
    ...faults.map((fault): [string, string] => ['refused', oneLine(fault)]),
  ]);
  await output.listForPeople(columns, FIELDS);
  await output.listForPeople(errors, FAULTS);
  return faults.length === 0 && counts.failed === 0 ? EXIT.done : EXIT.notAll;
}
