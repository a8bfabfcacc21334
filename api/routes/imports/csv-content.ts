import { z } from '@hono/zod-openapi';
import {
  type CsvOptions,
  type CsvTarget,
  csvFormatOf,
  DELIMITERS,
  type DelimiterName,
} from '../../../domain/imports/csv.ts';
import { type CsvRecord, recordsOf } from '../../../domain/imports/csv-records.ts';
import type { Content } from '../../../domain/imports/lines.ts';
import { MAX_CSV_HEADER_BYTES, MAX_FAULTS, MAX_PROPERTIES } from '../../../domain/limits.ts';
import { badRequest } from '../../http/api-error.ts';
import { queryEnum } from '../../http/define-route.ts';

/** The options of an import of CSV. */
export const csvQuery = {
  delimiter: queryEnum(Object.keys(DELIMITERS) as [DelimiterName, ...DelimiterName[]]).openapi({
    description: 'Of CSV; absent: the one that the header has most often',
  }),
  columns: z
    .string()
    .optional()
    .transform((text, ctx): Readonly<Record<string, string>> | undefined => {
      if (text === undefined || text === '') return undefined;
      const renamed = RENAMED.safeParse(parsed(text));
      if (renamed.success) return renamed.data;
      ctx.addIssue({ code: 'custom', message: 'must be a JSON object of names of columns to names of fields' });
      return z.NEVER;
    })
    .openapi({
      type: 'string',
      description:
        'Of CSV: the fields of columns that have other names, as JSON: `{"Full name":"name"}`; `a.b` is a field inside of another',
    }),
};

const RENAMED = z
  .record(z.string(), z.string().min(1))
  .refine((renamed) => Object.keys(renamed).length <= MAX_PROPERTIES);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const csvOptionsOf = (
  delimiter: DelimiterName | undefined,
  renamed: Readonly<Record<string, string>> | undefined,
): CsvOptions => ({ ...(delimiter && { delimiter }), ...(renamed && { renamed: Object.entries(renamed) }) });

/**
 * The same content, once its header is there and has no faults: before that nothing is stored.
 * @param isWhole the header may be all of it.
 * @throws DroverError 400 naming each fault of the header.
 */
export async function withGoodHeader(
  content: AsyncIterable<Uint8Array>,
  options: CsvOptions,
  target: CsvTarget | null,
  isWhole: boolean,
): Promise<AsyncIterable<Uint8Array>> {
  const reading = content[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  const header = await headerOf(reading, head, isWhole);
  const { faults } = csvFormatOf(header.bytes, options, target);
  if (faults.length > 0) throw badRequest(...faults.slice(0, MAX_FAULTS));
  return (async function* () {
    yield* head;
    yield* { [Symbol.asyncIterator]: () => reading };
  })();
}

async function headerOf(reading: AsyncIterator<Uint8Array>, head: Uint8Array[], isWhole: boolean): Promise<CsvRecord> {
  let size = 0;
  for (;;) {
    const { done, value } = await reading.next();
    if (!done) {
      head.push(value);
      size += value.length;
    }
    const found = await firstRecord(Buffer.concat(head), done === true && isWhole);
    if (found?.flaw !== undefined) throw badRequest(`header: ${found.flaw}`);
    if (found !== undefined) return found;
    if (size > MAX_CSV_HEADER_BYTES) throw badRequest(`header: is longer than ${MAX_CSV_HEADER_BYTES} bytes`);
    if (done) throw badRequest('header: its line must be complete in the first part, and cannot be empty');
  }
}

async function firstRecord(bytes: Uint8Array, isComplete: boolean): Promise<CsvRecord | undefined> {
  const content: Content = {
    isComplete,
    async *[Symbol.asyncIterator]() {
      yield { part: 1, chunk: 0, offset: 0, bytes };
    },
  };
  for await (const record of recordsOf(content, 1, MAX_CSV_HEADER_BYTES)) return record;
  return undefined;
}
