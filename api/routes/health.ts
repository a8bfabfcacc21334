import { z } from '@hono/zod-openapi';
import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
import { defineOpenRoute } from '../http/define-open-route.ts';
import { type Api, jsonResponse } from '../http/define-route.ts';

const Health = z.object({ status: z.literal('ok') }).openapi('Health', { example: { status: 'ok' } });

const READY = { status: 'ok', mongodb: 'ok', temporal: 'ok' } as const;
const Ready = z
  .object({ status: z.literal('ok'), mongodb: z.literal('ok'), temporal: z.literal('ok') })
  .openapi('Ready', { example: READY });
const NotReady = z
  .object({
    status: z.literal('unavailable'),
    mongodb: z.enum(['ok', 'unreachable']),
    temporal: z.enum(['ok', 'unreachable', 'not set up']),
    missing: z
      .array(z.string())
      .min(1)
      .max(Object.keys(SEARCH_ATTRIBUTES).length)
      .optional()
      .openapi({ description: 'What Temporal lacks for batches to be started: `npm run setup` creates it' }),
  })
  .openapi('NotReady', {
    example: {
      status: 'unavailable',
      mongodb: 'ok',
      temporal: 'not set up',
      missing: [`search attribute ${SEARCH_ATTRIBUTES.status} (Keyword)`],
    },
  });

/** `/healthz` and `/readyz`. */
export function healthRoutes(api: Api): void {
  defineOpenRoute(
    api,
    {
      path: '/healthz',
      operationId: 'getHealth',
      summary: 'Whether the process serves',
      description: 'It says nothing about the servers behind it: a probe that restarts the process asks this.',
      security: [],
      responses: { 200: jsonResponse('It does', Health) },
    },
    (c) => c.json({ status: 'ok' } satisfies z.input<typeof Health>),
  );
  defineOpenRoute(
    api,
    {
      path: '/readyz',
      operationId: 'getReadiness',
      summary: 'Whether MongoDB and Temporal answer, and Temporal is set up for batches',
      description: 'A load balancer asks this. A batch is accepted only while all of it is so.',
      security: [],
      responses: { 200: jsonResponse('They do', Ready), 503: jsonResponse('What is unavailable or missing', NotReady) },
    },
    async (c) => {
      const { health, startReadiness } = c.var.services;
      const [mongodb, temporal] = await Promise.all([health.isAnswering('mongodb'), health.isAnswering('temporal')]);
      const missing = temporal ? await startReadiness.missing() : [];
      if (mongodb && temporal && missing.length === 0) return c.json(READY);
      const state = (isAnswering: boolean) => (isAnswering ? ('ok' as const) : ('unreachable' as const));
      const answer: z.input<typeof NotReady> = {
        status: 'unavailable',
        mongodb: state(mongodb),
        temporal: missing.length > 0 ? 'not set up' : state(temporal),
        ...(missing.length > 0 && { missing: [...missing] }),
      };
      return c.json(answer, 503);
    },
  );
}
