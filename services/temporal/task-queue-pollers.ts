import type { Client } from '@temporalio/client';
import { hasStatus } from '../executions/executions.ts';
import { describeTaskQueue, type Poller } from './describe-workers.ts';

/** gRPC status codes: the account may not ask. */
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

/**
 * The workers of a task queue that have asked for work in the last minutes, by identity; null if the account may not see them.
 * @throws if Temporal cannot be reached.
 */
export async function pollersOf(client: Client, taskQueue: string): Promise<Poller[] | null> {
  const seen = new Map<string, Poller>();
  try {
    for (const tasks of ['workflows', 'activities'] as const) {
      for (const poller of (await describeTaskQueue(client, taskQueue, tasks)).workers) {
        const before = seen.get(poller.identity);
        if (poller.identity !== '' && !(before && before.lastSeenAt > poller.lastSeenAt))
          seen.set(poller.identity, poller);
      }
    }
  } catch (error) {
    if (hasStatus(error, PERMISSION_DENIED, UNAUTHENTICATED)) return null;
    throw error;
  }
  return [...seen.values()].sort((a, b) => (a.identity < b.identity ? -1 : 1));
}

/** Version of the server. @throws if it cannot be reached. */
export async function temporalVersion(client: Client): Promise<string> {
  return (await client.workflowService.getSystemInfo({})).serverVersion ?? '';
}
