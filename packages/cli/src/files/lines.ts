import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { JsonText, linesOf } from '@drover/client';
import { UsageError } from '../exit.ts';

/** The bytes of a file, or of standard input for `-`. @throws the error of the file system. */
export async function openContent(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === '-') return process.stdin as AsyncIterable<Uint8Array>;
  if (!(await stat(file)).isFile()) throw new UsageError(`${file} is no file`);
  return createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
}

/**
 * The resources of a file of newline-delimited JSON, as they are written. @throws UsageError naming the first line that is no object.
 */
export async function* resourcesOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<JsonText, void> {
  let number = 0;
  for await (const line of linesOf(content)) {
    number += 1;
    if (line.trim() === '') continue;
    if (number === 1 && line.trimStart().startsWith('['))
      throw new UsageError('this is one JSON array, not a resource on each line', "make lines of it: jq -c '.[]' FILE");
    assertObject(line, number);
    yield new JsonText(line);
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

/** The number of lines that hold something; null for standard input. */
export async function countLines(file: string): Promise<number | null> {
  if (file === '-') return null;
  let count = 0;
  for await (const line of linesOf(await openContent(file))) if (line.trim() !== '') count += 1;
  return count;
}

/** External ids: one on each line, or a JSON array of texts. @throws UsageError */
export async function idsOf(file: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(await openContent(file))) lines.push(line);
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
