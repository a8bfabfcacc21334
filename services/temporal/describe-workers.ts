import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { terminationTaskQueue } from '../../workflows/messages.ts';

const { TaskQueueType } = proto.temporal.api.enums.v1;

/** A process that has polled a task queue within the last minutes. */
export interface Poller {
  readonly identity: string;
  readonly lastSeenAt: string;
}

/** Tasks of one kind: who takes them, and how many wait to be taken. */
export interface TaskQueueState {
  readonly name: string;
  readonly tasks: 'workflows' | 'activities';
  readonly workers: readonly Poller[];
  /** About how many tasks wait; null if Temporal does not say. */
  readonly backlog: number | null;
  /** How long the oldest one has waited, in seconds. */
  readonly backlogAgeSeconds: number | null;
  /** Over the last 30 seconds. */
  readonly tasksPerSecond: number | null;
}

/** The task queues of batches, as Temporal sees them. @throws if Temporal cannot be reached. */
export function describeWorkers(client: Client, taskQueue: string): Promise<TaskQueueState[]> {
  const terminations = terminationTaskQueue(taskQueue);
  return Promise.all([
    describeTaskQueue(client, taskQueue, 'workflows'),
    describeTaskQueue(client, taskQueue, 'activities'),
    describeTaskQueue(client, terminations, 'activities'),
  ]);
}

/** @throws if Temporal cannot be reached, or the account may not ask. */
export async function describeTaskQueue(
  client: Client,
  name: string,
  tasks: TaskQueueState['tasks'],
): Promise<TaskQueueState> {
  const { pollers, stats } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name },
    taskQueueType:
      tasks === 'workflows' ? TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW : TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    reportStats: true,
  });
  const age = stats?.approximateBacklogAge;
  return {
    name,
    tasks,
    workers: (pollers ?? []).map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      lastSeenAt: new Date(Number(lastAccessTime?.seconds ?? 0) * 1000).toISOString(),
    })),
    backlog: stats?.approximateBacklogCount == null ? null : Number(stats.approximateBacklogCount),
    backlogAgeSeconds: age == null ? null : Number(age.seconds ?? 0),
    tasksPerSecond: stats?.tasksDispatchRate ?? null,
  };
}
