import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { hasStatus } from '../executions/executions.ts';

const { TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY } = proto.temporal.api.enums.v1.TaskQueueType;

/** gRPC status codes: the account may not ask. */
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

/** A process that asks Temporal for work. */
interface Poller {
  readonly identity: string;
  /** When it last asked, ISO 8601. */
  readonly lastSeenAt: string;
}

/**
 * The workers of a task queue that have asked for work in the last minutes, by identity; null if the account may not see them.
 * @throws if Temporal cannot be reached.
 */
export async function pollersOf(client: Client, taskQueue: string): Promise<Poller[] | null> {
  const { namespace } = client.options;
  const seen = new Map<string, number>();
  try {
    for (const taskQueueType of [TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY]) {
      const { pollers } = await client.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType,
      });
      for (const { identity, lastAccessTime } of pollers ?? []) {
        if (!identity) continue;
        seen.set(identity, Math.max(seen.get(identity) ?? 0, Number(lastAccessTime?.seconds ?? 0) * 1000));
      }
    }
  } catch (error) {
    if (hasStatus(error, PERMISSION_DENIED, UNAUTHENTICATED)) return null;
    throw error;
  }
  return [...seen]
    .map(([identity, at]) => ({ identity, lastSeenAt: new Date(at).toISOString() }))
    .sort((a, b) => (a.identity < b.identity ? -1 : 1));
}

/** Version of the server. @throws if it cannot be reached. */
export async function temporalVersion(client: Client): Promise<string> {
  return (await client.workflowService.getSystemInfo({})).serverVersion ?? '';
}
