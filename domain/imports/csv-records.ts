import type { Place } from './import.ts';
import type { Content } from './lines.ts';

/** A record of CSV as far as its quotes tell: whether it is one is known when it is parsed. */
export interface CsvRecord {
  /** Number of its first line in the file, from 1. */
  readonly line: number;
  /** Its bytes without the end of the line; of a flawed record, those of its first line. */
  readonly bytes: Uint8Array;
  /** The place after it, and the number of the line there. */
  readonly end: Place;
  readonly nextLine: number;
  /** The place after its first line: reading goes on there if it is no record. */
  readonly firstLine: Uint8Array;
  readonly firstEnd: Place;
  readonly flaw?: 'is too long' | 'has a quote that is not closed';
}

const QUOTE = 0x22;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Bytes that are kept of a record that is too long, for whoever asks for it. */
const KEPT_OF_TOO_LONG = 65_536;

/**
 * The records of CSV: lines, except for ends of lines within quotes. Blank lines are passed over. A record whose quote is not closed, or that
 * is too long, is the last one: whoever reads on begins after its first line. The last one needs no end if the content is complete.
 * @param maxBytes length from which on a record is too long.
 */
export async function* recordsOf(content: Content, firstLine: number, maxBytes: number): AsyncGenerator<CsvRecord> {
  let open = new OpenRecord(firstLine, maxBytes);
  let end: Place | undefined;
  for await (const { part, chunk, offset, bytes } of content) {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) open.toggle();
      if (byte !== NEWLINE) continue;
      open.add(bytes.subarray(from, at + 1));
      from = at + 1;
      const isOver = open.endLine({ part, chunk, offset: offset + from });
      if (!isOver) continue;
      const record = open.toRecord();
      if (record !== null) yield record;
      if (record?.flaw !== undefined) return;
      open = new OpenRecord(open.nextLine, maxBytes);
    }
    open.add(bytes.subarray(from));
    end = { part, chunk, offset: offset + bytes.length };
  }
  if (!content.isComplete || end === undefined) return;
  open.endContent(end);
  const record = open.toRecord();
  if (record !== null) yield record;
}

/** A record that is being read. */
class OpenRecord {
  readonly #line: number;
  readonly #maxBytes: number;
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #lines = 0;
  #isQuoted = false;
  #firstBytes = 0;
  #firstEnd: Place | undefined;
  #end: Place | undefined;

  constructor(line: number, maxBytes: number) {
    this.#line = line;
    this.#maxBytes = maxBytes;
  }

  get nextLine(): number {
    return this.#line + this.#lines;
  }

  toggle(): void {
    this.#isQuoted = !this.#isQuoted;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#size <= this.#maxBytes) this.#pieces.push(bytes);
    this.#size += bytes.length;
  }

  /** @returns whether the record is over. */
  endLine(at: Place): boolean {
    this.#lines += 1;
    if (this.#firstEnd === undefined) {
      this.#firstEnd = at;
      this.#firstBytes = this.#size;
    }
    this.#end = at;
    return !this.#isQuoted || this.#size > this.#maxBytes;
  }

  endContent(at: Place): void {
    if (this.#size === 0) return;
    this.#lines += 1;
    this.#end = at;
    if (this.#firstEnd !== undefined) return;
    this.#firstEnd = at;
    this.#firstBytes = this.#size;
  }

  /** Null if it is a blank line, or nothing. */
  toRecord(): CsvRecord | null {
    if (this.#end === undefined || this.#firstEnd === undefined) return null;
    const whole = this.#pieces.length === 1 ? (this.#pieces[0] as Uint8Array) : Buffer.concat(this.#pieces);
    const isTooLong = this.#size > this.#maxBytes;
    const first = withoutEnd(
      whole.subarray(0, isTooLong ? Math.min(this.#firstBytes, KEPT_OF_TOO_LONG) : this.#firstBytes),
    );
    const flaw = isTooLong ? 'is too long' : this.#isQuoted ? 'has a quote that is not closed' : undefined;
    const about = { line: this.#line, firstLine: first, firstEnd: this.#firstEnd };
    if (flaw !== undefined) return { ...about, bytes: first, end: this.#firstEnd, nextLine: this.#line + 1, flaw };
    const bytes = withoutEnd(whole);
    return bytes.length === 0 ? null : { ...about, bytes, end: this.#end, nextLine: this.nextLine };
  }
}

function withoutEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  if (bytes[end - 1] === NEWLINE) end -= 1;
  if (bytes[end - 1] === RETURN) end -= 1;
  return bytes.subarray(0, end);
}
