import { type Command, InvalidArgumentError } from 'commander';

/** Options of a list. */
export interface Limited {
  readonly limit: number;
}

const DEFAULT_LIMIT = 20;

/** Adds `--limit`. */
export const limitOption = (command: Command): Command =>
  command.option('--limit <n>', 'how many at most; all of them: all', toLimit, DEFAULT_LIMIT);

function toLimit(value: string): number {
  if (value === 'all') return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('a whole number from 1, or all');
}

/** The first entries of a list; no page is read beyond them. */
export async function* firstOf<T>(entries: AsyncIterable<T>, limit: number): AsyncGenerator<T, void> {
  let left = limit;
  for await (const entry of entries) {
    yield entry;
    left -= 1;
    if (left <= 0) return;
  }
}
