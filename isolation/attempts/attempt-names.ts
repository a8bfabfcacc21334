import { randomBytes } from 'node:crypto';

/**
 * The name of documents that an attempt leaves in the store: `{of whom}/{since}/{token}`. Temporal counts attempts from 1 again when an
 * activity is reset, so a number could mean two of them: the token names one, and `since`, the time at which Temporal scheduled the attempt by its
 * own clock in ms, tells which of two is the later one.
 */
export const attemptName = (of: string, since: number): string =>
  `${of}/${Math.floor(since)}/${randomBytes(9).toString('base64url')}`;

/** When an attempt was scheduled, from a name that was made for `of`; 0 if an earlier version, which numbered attempts, made it. */
export function sinceOf(of: string, name: string): number {
  const parts = name.slice(of.length + 1).split('/');
  return parts.length === 2 ? Number(parts[0]) : 0;
}
