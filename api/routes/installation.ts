import { z } from '@hono/zod-openapi';
import { DEFAULT_PLATFORM } from '../../domain/batch/scope.ts';
import { DroverError } from '../../domain/errors.ts';
import { pollersOf, temporalVersion } from '../../services/temporal/task-queue-pollers.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse } from '../http/define-route.ts';
import { success } from '../http/envelope.ts';
import { VERSION } from './docs.ts';

/** Names of processes and versions are for the operator: it needs platform scope, of the default platform. */
export const INSTALLATION_PATH = '/partner/installation';

/** How long Temporal may take for the answer, in ms. */
const DEADLINE_MS = 3_000;

const Installation = enveloped(
  z
    .object({
      version: z.string().openapi({ description: 'Of Drover' }),
      mongodb: z.string().openapi({ description: 'Version of the MongoDB server' }),
      temporal: z.string().openapi({ description: 'Version of the Temporal server' }),
      taskQueue: z.string(),
      workers: z
        .array(z.object({ identity: z.string(), lastSeenAt: z.iso.datetime() }))
        .nullable()
        .openapi({
          description: 'Processes that have asked for work in the last minutes; null if Temporal does not show them',
        }),
    })
    .openapi('InstallationData'),
).openapi('Installation');

/** What an operator wants to know of an installation (docs/cli.md: drover doctor). */
export function installationRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: INSTALLATION_PATH,
      operationId: 'getInstallation',
      tags: ['Operation'],
      summary: 'Versions of Drover and its servers, and the workers that are there',
      description:
        'For operators, with platform scope of the default platform: `workers` are the processes that have asked Temporal for work in the last minutes.',
      responses: { 200: jsonResponse('The installation', Installation), ...faults() },
    },
    async (c) => {
      // names of hosts and versions of servers are of the installation, which belongs to the default platform
      if (c.var.scope.platform !== DEFAULT_PLATFORM)
        throw new DroverError(
          'forbidden',
          'this is for the operator of the installation: platform scope of the default platform',
        );
      const { database, client, taskQueue } = c.var.services;
      const [mongodb, { temporal, workers }] = await Promise.all([
        database.version(),
        client.withDeadline(Date.now() + DEADLINE_MS, async () => ({
          temporal: await temporalVersion(client),
          workers: await pollersOf(client, taskQueue),
        })),
      ]);
      return c.json(success('Installation', { version: VERSION, mongodb, temporal, taskQueue, workers }));
    },
  );
}
