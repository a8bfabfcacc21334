import pc from 'picocolors';
import { jsonText, manyLines, oneLine, withColours } from './plain.ts';
import { type Column, tabbed, tableOf } from './table.ts';

/** What is written where, by the options and the terminal. */
export interface Terminal {
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly in: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

/** The form of an answer. */
type Form = 'json' | 'ndjson' | 'text';

const DEFAULT_WIDTH = 80;

/** Writes the results of a command to standard output, and everything else to standard error. */
export class Output {
  readonly terminal: Terminal;
  readonly form: Form;
  /** Colours where people look, unless NO_COLOR is set (no-color.org). */
  readonly colours: ReturnType<typeof pc.createColors>;

  constructor(terminal: Terminal, form: Form) {
    this.terminal = terminal;
    this.form = form;
    const { NO_COLOR, TERM } = process.env;
    this.colours = pc.createColors(terminal.out.isTTY === true && !NO_COLOR && TERM !== 'dumb' && form === 'text');
  }

  /** A line for people, which is no result. */
  say(line: string): void {
    this.terminal.err.write(`${oneLine(line)}\n`);
  }

  /** Entries as they come: with `--json` an array, with `--ndjson` a line each; a table on a terminal, else tabs. */
  async list<T>(entries: AsyncIterable<T> | Iterable<T>, columns: readonly Column<T>[], none: string): Promise<void> {
    if (this.form === 'ndjson') {
      for await (const entry of entries) await this.write(`${jsonText(entry)}\n`);
      return;
    }
    const all: T[] = [];
    for await (const entry of entries) all.push(entry);
    if (this.form === 'json') return this.write(`${jsonText(all, 2)}\n`);
    if (all.length === 0) return this.say(none);
    const { out } = this.terminal;
    const text = out.isTTY
      ? tableOf(all, columns, out.columns ?? DEFAULT_WIDTH, this.colours.bold)
      : tabbed(all, columns);
    await this.write(`${text}\n`);
  }

  /** A list beside a result, for people alone: other programs read the result. */
  async listForPeople<T>(entries: readonly T[], columns: readonly Column<T>[]): Promise<void> {
    if (entries.length === 0 || this.form !== 'text' || this.terminal.out.isTTY !== true) return;
    this.say('');
    await this.list(entries, columns, '');
  }

  /** One result: with `--json` and `--ndjson` as it is, else its lines. */
  async one(value: unknown, lines: readonly (readonly [name: string, value: string])[]): Promise<void> {
    if (this.form !== 'text') {
      return this.write(`${this.form === 'json' ? jsonText(value, 2) : jsonText(value)}\n`);
    }
    const isForPeople = this.terminal.out.isTTY === true;
    const width = Math.max(...lines.map(([name]) => name.length));
    const text = lines.map(([name, shown]) =>
      isForPeople ? `${this.colours.dim(name.padEnd(width))}  ${withColours(shown)}` : `${name}\t${oneLine(shown)}`,
    );
    await this.write(`${text.join('\n')}\n`);
  }

  /** Writes content of others as it is; on a terminal without control characters. */
  async content(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const isForPeople = this.terminal.out.isTTY === true;
    for await (const piece of pieces)
      await this.write(isForPeople ? manyLines(decoder.decode(piece, { stream: true })) : piece);
  }

  /** Waits until the reader has taken it. @throws an error with code EPIPE if the reader is gone. */
  write(content: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.terminal.out.write(content, (error) => (error ? reject(error) : resolve())),
    );
  }
}
