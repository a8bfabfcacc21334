import { z } from '@hono/zod-openapi';
import { type Api, defineRoute, enveloped, faults, jsonResponse } from '../http/define-route.ts';
import { success } from '../http/envelope.ts';

const Session = z
  .object({
    scope: z.enum(['platform', 'tenant']),
    platform: z.string(),
    tenant: z.string().openapi({ description: 'The tenant that requests like this one are about' }),
    requiresToken: z.boolean().openapi({ description: 'Whether tokens are configured' }),
    temporal: z
      .object({ uiUrl: z.string(), namespace: z.string() })
      .optional()
      .openapi({ description: 'Where batches are found in the Temporal UI; for platform scope, if configured' }),
  })
  .openapi('Session');

/** Who the caller is to the service: what a program of many tenants shows, and what it need not offer. */
export function sessionRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/session',
      operationId: 'getSession',
      tags: ['Operation'],
      summary: 'The scope and the tenant of the token',
      description: 'What a program of many tenants, such as the dashboard, shows of its user.',
      responses: { 200: jsonResponse('The session', enveloped(Session)), ...faults() },
    },
    (c) => {
      const { scope, isPlatformScope } = c.var;
      const { config, verifyToken } = c.var.services;
      const session: z.input<typeof Session> = {
        scope: isPlatformScope ? 'platform' : 'tenant',
        ...scope,
        requiresToken: verifyToken !== null,
        ...(isPlatformScope &&
          config.TEMPORAL_UI_URL !== undefined && {
            temporal: { uiUrl: config.TEMPORAL_UI_URL, namespace: config.TEMPORAL_NAMESPACE },
          }),
      };
      return c.json(success('Session', session));
    },
  );
}
