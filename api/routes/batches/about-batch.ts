import { z } from '@hono/zod-openapi';
import { type AboutBatch, DEFAULT_PRIORITY, PRIORITIES } from '../../../domain/batch/about.ts';
import { DEFAULT_PLATFORM } from '../../../domain/batch/scope.ts';
import { DAY_MS } from '../../../domain/clocks.ts';
import { MAX_LABEL, MAX_START_AHEAD_DAYS } from '../../../domain/limits.ts';
import type { ApiContext } from '../../http/context.ts';
import { optionalInteger } from '../../http/define-route.ts';
import { queryDate } from './query-date.ts';

/** Of a text without control characters, as the OpenAPI document says it. */
const WITHOUT_CONTROLS = '^[^\\u0000-\\u001f\\u007f-\\u009f]*$';

/** The part of a query that says something of a batch or import as a whole (`AboutBatch`). */
export const aboutQuery = {
  label: z
    .string()
    .refine((label) => [...label].length <= MAX_LABEL, `must be at most ${MAX_LABEL} characters`)
    .refine((label) => !/\p{Cc}|\p{Surrogate}/u.test(label), 'must have no control characters')
    .optional()
    .transform((label) => label || undefined)
    .openapi({
      type: 'string',
      maxLength: MAX_LABEL,
      pattern: WITHOUT_CONTROLS,
      description: `A name to find it by, up to ${MAX_LABEL} characters`,
    }),
  priority: optionalInteger(PRIORITIES).openapi({
    description: `1 (urgent) to 5, ${DEFAULT_PRIORITY} by default: it is begun before what the tenant has queued; if the operator asks, before that of all tenants`,
  }),
  startAt: queryDate()
    .refine((date) => date === undefined || date.getTime() - Date.now() <= MAX_START_AHEAD_DAYS * DAY_MS, {
      error: `must be within ${MAX_START_AHEAD_DAYS} days`,
    })
    .openapi({
      type: 'string',
      format: 'date-time',
      description: `Nothing of it begins before; at most ${MAX_START_AHEAD_DAYS} days ahead, and in the past: at once`,
    }),
};

const parsed = z.object(aboutQuery);
type AboutQuery = z.output<typeof parsed>;

/** What a request says of its batch, and who sends it. */
export const aboutOf = (c: ApiContext, { label, priority, startAt }: AboutQuery): AboutBatch => ({
  label,
  priority,
  // whoever operates the installation answers for all that it runs
  ...(priority !== undefined &&
    c.var.isPlatformScope &&
    c.var.scope.platform === DEFAULT_PLATFORM && { isForAll: true }),
  startAt,
  createdBy: c.var.createdBy,
});
