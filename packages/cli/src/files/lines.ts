import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { JsonText, linesOf } from '@drover/client';
import { UsageError } from '../exit.ts';

/** The bytes of a file, or of standard input for `-`. @throws the error of the file system. */
export async function openContent(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === '-') return process.stdin as AsyncIterable<Uint8Array>;
  if ((await stat(file)).isDirectory()) throw new UsageError(`${file} is a folder`);
  return createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
}

/**
 * The resources of a file of newline-delimited JSON, as they are written. @throws UsageError naming the first line that is no object.
 */
export async function* resourcesOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<JsonText, void> {
  let number = 0;
  for await (const line of textLines(content)) {
    number += 1;
    if (line.trim() === '') continue;
    if (number === 1 && line.trimStart().startsWith('['))
      throw new UsageError('this is one JSON array, not a resource on each line', "make lines of it: jq -c '.[]' FILE");
    assertObject(line, number);
    yield new JsonText(line);
  }
}

/** Lines of UTF-8. @throws UsageError for other bytes: replaced, they would be other data, or name other resources. */
async function* textLines(content: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let number = 0;
  try {
    for await (const line of linesOf(content)) {
      number += 1;
      yield line;
    }
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error && error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA'))
      throw error;
    throw new UsageError(
      `after line ${number} there are bytes that are not UTF-8`,
      'convert them: iconv -f latin1 -t utf-8 FILE',
    );
  }
}

function assertObject(line: string, number: number): void {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new UsageError(`line ${number} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`line ${number} is no JSON object`);
}

/** Whether it can be read a second time: not standard input, and not the pipe of a shell's `<(…)`. */
export const isRegular = async (file: string): Promise<boolean> => file !== '-' && (await stat(file)).isFile();

/** The number of lines that hold something; null for what can be read only once. */
export async function countLines(file: string): Promise<number | null> {
  if (!(await isRegular(file))) return null;
  let count = 0;
  for await (const line of textLines(await openContent(file))) if (line.trim() !== '') count += 1;
  return count;
}

/** External ids: one on each line, or a JSON array of texts. @throws UsageError */
export async function idsOf(file: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of textLines(await openContent(file))) lines.push(line);
  const [first = ''] = lines;
  if (!first.trimStart().startsWith('[')) return lines.filter((line) => line !== '');
  try {
    const ids: unknown = JSON.parse(lines.join('\n'));
    if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return ids as string[];
  } catch {
    // the same message
  }
  throw new UsageError(`${file} begins like a JSON array, and is none of texts`);
}
