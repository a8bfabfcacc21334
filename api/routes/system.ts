import { z } from '@hono/zod-openapi';
import { describeWorkers, type TaskQueueState } from '../../services/temporal/describe-workers.ts';
import type { ApiContext } from '../http/context.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse } from '../http/define-route.ts';
import { success } from '../http/envelope.ts';

const count = z.number().int().min(0);
const System = z
  .object({
    mongodb: z.enum(['ok', 'unreachable']),
    temporal: z.enum(['ok', 'unreachable', 'not set up']),
    missing: z.array(z.string()).openapi({ description: 'What Temporal lacks for batches to be started' }),
    taskQueues: z
      .array(
        z.object({
          name: z.string(),
          tasks: z.enum(['workflows', 'activities']),
          workers: z.array(
            z.object({
              identity: z.string().nullable().openapi({ description: 'Process and host; null but for platform scope' }),
              lastSeenAt: z.iso.datetime(),
            }),
          ),
          backlog: count
            .nullable()
            .openapi({ description: 'About how many tasks wait; null if Temporal does not say' }),
          backlogAgeSeconds: count.nullable(),
          tasksPerSecond: z.number().nullable().openapi({ description: 'Over the last 30 seconds' }),
        }),
      )
      .openapi({ description: 'Empty if Temporal cannot be reached' }),
  })
  .openapi('System');

/** Timeout of the description of all task queues, in ms. */
const DESCRIBE_TIMEOUT_MS = 3_000;

/** The servers and workers behind the service. */
export function systemRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/system',
      operationId: 'getSystem',
      tags: ['Operation'],
      summary: 'Whether MongoDB and Temporal answer, which workers take tasks, and how many tasks wait',
      description: 'It answers 200 also while Temporal cannot be reached, and says so.',
      responses: { 200: jsonResponse('The system', enveloped(System)), ...faults() },
    },
    async (c) => {
      const { health, startReadiness } = c.var.services;
      const [mongodb, temporal] = await Promise.all([health.isAnswering('mongodb'), health.isAnswering('temporal')]);
      const missing = temporal ? await startReadiness.missing() : [];
      const state = (isAnswering: boolean) => (isAnswering ? ('ok' as const) : ('unreachable' as const));
      const system: z.input<typeof System> = {
        mongodb: state(mongodb),
        temporal: missing.length > 0 ? 'not set up' : state(temporal),
        missing: [...missing],
        taskQueues: temporal ? (await taskQueues(c)).map((queue) => visible(c, queue)) : [],
      };
      return c.json(success('System', system));
    },
  );
}

/** Empty if Temporal ceases to answer, or does not know the namespace: `temporal` and `missing` say so. */
async function taskQueues(c: ApiContext): Promise<TaskQueueState[]> {
  const { client, taskQueue, logger } = c.var.services;
  const deadline = Date.now() + DESCRIBE_TIMEOUT_MS;
  return client
    .withDeadline(deadline, () => describeWorkers(client, taskQueue))
    .catch((error: unknown) => {
      logger.warn({ err: error }, 'the task queues cannot be described');
      return [];
    });
}

/** A tenant sees how many workers there are, not where they run. */
const visible = (c: ApiContext, { workers, ...queue }: TaskQueueState) => ({
  ...queue,
  workers: workers.map(({ identity, lastSeenAt }) => ({
    identity: c.var.isPlatformScope ? identity : null,
    lastSeenAt,
  })),
});
