import { z } from '@hono/zod-openapi';

const DATES = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
export const DATE_FAULT = 'must be a date of ISO 8601, such as 2026-11-28T09:00:00Z';

/** The time that a text names; undefined if it is no date of ISO 8601. A date without a time is its first moment in UTC. */
export function dateOf(text: unknown): Date | undefined {
  const { success, data } = DATES.safeParse(text);
  return success ? new Date(data) : undefined;
}

/** A date in a query; empty is absent. */
export const queryDate = () =>
  z
    .string()
    .optional()
    .transform((text, ctx) => {
      if (text === undefined || text === '') return undefined;
      const date = dateOf(text);
      if (date !== undefined) return date;
      ctx.addIssue({ code: 'custom', message: DATE_FAULT });
      return z.NEVER;
    });
