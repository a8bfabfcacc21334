import { randomBytes } from 'node:crypto';

/**
 * How what an attempt leaves in the store is named after it: `{of whom}/{since}/{token}`. Temporal counts attempts anew when an
 * activity is reset, so a number would name two of them: the token names one, and `since`, when Temporal scheduled the attempt by its
 * own clock in ms, says which of two is the later one.
 */
export const attemptName = (of: string, since: number): string =>
  `${of}/${Math.floor(since)}/${randomBytes(9).toString('base64url')}`;

/** When an attempt was scheduled, by a name that was made for `of`; 0 where an earlier version, which numbered attempts, made it. */
export function sinceOf(of: string, name: string): number {
  const parts = name.slice(of.length + 1).split('/');
  return parts.length === 2 ? Number(parts[0]) : 0;
}
