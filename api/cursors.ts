import { createHash } from 'node:crypto';
import { type Scope, scopeKey } from '../domain/scope.ts';
import { badRequest } from './envelope.ts';

/** The list that a cursor belongs to, with everything that decides what is in it. */
export interface ListPlace {
  readonly list: string;
  readonly filter: readonly string[];
}

/**
 * Where to go on, as callers carry it. It is bound to tenant and list (invariant 6): one of another list, or a changed one, is
 * refused. It holds no secret: what it names, its caller has just read.
 */
export function encodeCursor(scope: Scope, place: ListPlace, after: string): string {
  return Buffer.from(JSON.stringify([after, digestOf(scope, place, after)])).toString('base64url');
}

/** @returns null without a cursor: from the beginning. @throws ApiError 400 for a cursor that was not ours. */
export function decodeCursor(scope: Scope, place: ListPlace, cursor: string | undefined): string | null {
  if (cursor === undefined || cursor === '') return null;
  const [after, digest] = parse(cursor);
  if (typeof after === 'string' && digest === digestOf(scope, place, after)) return after;
  throw badRequest('cursor: is not one of this list');
}

function parse(cursor: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}

function digestOf(scope: Scope, { list, filter }: ListPlace, after: string): string {
  return createHash('sha256')
    .update(JSON.stringify([scopeKey(scope), list, filter, after]))
    .digest('base64url')
    .slice(0, 16);
}
