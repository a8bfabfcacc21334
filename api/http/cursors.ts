import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { badRequest } from './api-error.ts';

/** The list that a cursor belongs to, with everything that determines its content. */
export interface ListPlace {
  readonly list: string;
  readonly filter: readonly string[];
}

/** Name under which the key of cursors is stored. */
export const CURSOR_KEY_PURPOSE = 'cursors';

/** Length of the authentication code of a cursor, in bytes: as hard to guess as a key of 128 bits. */
const CODE_BYTES = 16;

/**
 * The place where a list continues, as callers send it. A cursor is authenticated with a key of the server and bound to tenant and list
 * (invariant 6): a cursor of another list, a changed one, or one made by an attacker who knows this code but not the key is refused. It contains no
 * secret: its caller has just read the entry that it names.
 */
export class Cursors {
  readonly #readKey: () => Promise<Buffer>;
  #key: Promise<Buffer> | undefined;

  /** @param readKey called when a key is first needed, and again only after a failure. */
  constructor(readKey: () => Promise<Buffer>) {
    this.#readKey = readKey;
  }

  /** @param after null at the end of the list: then there is no cursor. */
  encode(scope: Scope, place: ListPlace, after: string): Promise<string>;
  encode(scope: Scope, place: ListPlace, after: string | null): Promise<string | null>;
  async encode(scope: Scope, place: ListPlace, after: string | null): Promise<string | null> {
    if (after === null) return null;
    const code = codeOf(await this.#theKey(), scope, place, after);
    return Buffer.from(JSON.stringify([after, code.toString('base64url')])).toString('base64url');
  }

  /** @returns null without a cursor: from the beginning. @throws DroverError 400 for a cursor that was not issued here. */
  async decode(scope: Scope, place: ListPlace, cursor: string | undefined): Promise<string | null> {
    if (cursor === undefined || cursor === '') return null;
    const [after, code] = parse(cursor);
    if (typeof after === 'string' && typeof code === 'string') {
      const given = Buffer.from(code, 'base64url');
      const ours = codeOf(await this.#theKey(), scope, place, after);
      if (given.byteLength === ours.byteLength && timingSafeEqual(given, ours)) return after;
    }
    throw notOfThisList();
  }

  /**
   * The same for a list whose places are numbers.
   * @returns null without a cursor. @throws DroverError 400 also if the place is no whole number from 0.
   */
  async decodeIndex(scope: Scope, place: ListPlace, cursor: string | undefined): Promise<number | null> {
    const after = await this.decode(scope, place, cursor);
    if (after === null) return null;
    if (!/^\d{1,15}$/.test(after)) throw notOfThisList();
    return Number(after);
  }

  async #theKey(): Promise<Buffer> {
    this.#key ??= this.#readKey();
    try {
      return await this.#key;
    } catch (error) {
      this.#key = undefined;
      throw error;
    }
  }
}

const notOfThisList = () => badRequest('cursor: is not one of this list');

function parse(cursor: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}

function codeOf(key: Buffer, scope: Scope, { list, filter }: ListPlace, after: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([scopeKey(scope), list, filter, after]))
    .digest()
    .subarray(0, CODE_BYTES);
}
