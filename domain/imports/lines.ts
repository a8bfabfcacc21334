import type { Place } from './import.ts';

/** A piece of the content of an import. */
export interface Chunk {
  readonly part: number;
  readonly chunk: number;
  /** Offset of the first of `bytes` in the chunk. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A row as it was sent. */
export interface RawRow {
  /** Number of its first line in the file, from 1. */
  readonly line: number;
  /** Its bytes without the end of the line; of a row that is too long, the first ones. */
  readonly bytes: Uint8Array;
  readonly isTooLong: boolean;
  /** The place after it, and the number of the line there. */
  readonly end: Place;
  readonly nextLine: number;
}

/** Bytes that are kept of a row that is too long, for whoever asks for it. */
const KEPT_OF_TOO_LONG = 65_536;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** The content from a place on, and whether all of it is there. */
export interface Content extends AsyncIterable<Chunk> {
  /** Known when the iteration has ended: nothing follows what was read. */
  readonly isComplete: boolean;
}

/**
 * The rows of newline-delimited JSON: lines that are not blank. Lines end with LF or CR LF. The last one needs no end if the content is
 * complete; otherwise it is not a row yet. Memory stays bounded however long a line is.
 * @param firstLine number of the line at the beginning of the content.
 * @param maxBytes length from which on a row is too long.
 */
export async function* linesOf(content: Content, firstLine: number, maxBytes: number): AsyncGenerator<RawRow> {
  let line = firstLine;
  let open = new OpenLine(maxBytes);
  let end: Place | undefined;
  for await (const { part, chunk, offset, bytes } of content) {
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      open.add(bytes.subarray(from, at));
      from = at + 1;
      const row = open.toRow(line, { part, chunk, offset: offset + from });
      line += 1;
      if (row !== null) yield row;
      open = new OpenLine(maxBytes);
    }
    open.add(bytes.subarray(from));
    end = { part, chunk, offset: offset + bytes.length };
  }
  if (!content.isComplete || end === undefined) return;
  const row = open.toRow(line, end);
  if (row !== null) yield row;
}

/** A line that is being read. */
class OpenLine {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #kept = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (bytes.length > 0 && this.#kept <= this.#maxBytes) {
      this.#pieces.push(bytes);
      this.#kept += bytes.length;
    }
  }

  /** Null if the line is blank. */
  toRow(line: number, end: Place): RawRow | null {
    const whole = this.#pieces.length === 1 ? (this.#pieces[0] as Uint8Array) : Buffer.concat(this.#pieces);
    const isTooLong = this.#size > this.#maxBytes;
    const bytes = withoutMark(isTooLong ? whole.subarray(0, KEPT_OF_TOO_LONG) : withoutReturn(whole), line);
    return isBlank(bytes) && !isTooLong ? null : { line, bytes, isTooLong, end, nextLine: line + 1 };
  }
}

const withoutReturn = (bytes: Uint8Array): Uint8Array => (bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes);

const withoutMark = (bytes: Uint8Array, line: number): Uint8Array =>
  line === 1 && BYTE_ORDER_MARK.equals(bytes.subarray(0, BYTE_ORDER_MARK.length))
    ? bytes.subarray(BYTE_ORDER_MARK.length)
    : bytes;

const isBlank = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === RETURN);
