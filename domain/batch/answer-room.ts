import { MAX_ANSWER_BYTES } from '../limits.ts';

/** The rest of an answer around a list: the envelope, and a batch with its hundred error messages. */
const AROUND_BYTES = 768 * 1024;

/** The bytes of an answer that are left for the entries of a list. */
export class AnswerRoom {
  #left = MAX_ANSWER_BYTES - AROUND_BYTES;
  #isEmpty = true;

  /** Adds one more entry, as JSON, if there is room; the first one always fits, so that every page makes progress. @returns whether it fits. */
  take(entry: unknown): boolean {
    return this.takeText(JSON.stringify(entry));
  }

  /** The same for an entry as it is in the answer. */
  takeText(json: string): boolean {
    const bytes = Buffer.byteLength(json) + 1;
    if (!this.#isEmpty && bytes > this.#left) return false;
    this.#isEmpty = false;
    this.#left -= bytes;
    return true;
  }
}

/** The first entries of a page for which there is room: a page of large entries ends early. */
export function withinRoom<T>(entries: readonly T[]): T[] {
  const room = new AnswerRoom();
  const end = entries.findIndex((entry) => !room.take(entry));
  return end === -1 ? [...entries] : entries.slice(0, end);
}
