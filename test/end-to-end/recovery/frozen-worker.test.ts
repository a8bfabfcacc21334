import type { WorkflowHandle } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { batchWorkflowId, resumeSignal, suspendSignal } from '../../../workflows/messages.ts';
import { Drover, spawnWorker } from '../../harness/drover.ts';
import { Tenant } from '../../harness/tenant.ts';

/** Temporal times a workflow task out after 10 s. The activity gets what is left, which is more than it may take before it writes. */
const MOST_OF_A_TASK_MS = 6_000;

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** Waits until the history of a workflow has so many events of a kind. @returns when the last one was, in ms since 1970. */
async function untilThere(workflow: WorkflowHandle, isOne: (event: Event) => unknown, count = 1): Promise<number> {
  for (;;) {
    const found = ((await workflow.fetchHistory()).events ?? []).filter(isOne);
    if (found.length >= count) return Number(found.at(-1)?.eventTime?.seconds ?? 0) * 1000;
    await pause(100);
  }
}
const isTaskStarted = (event: Event) => event.workflowTaskStartedEventAttributes;
const isTaskCompleted = (event: Event) => event.workflowTaskCompletedEventAttributes;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

/**
 * A local activity belongs to a workflow task. If Temporal times the task out while the activity runs, the worker gets the task once
 * more, with the signals that have come meanwhile. In the history they are before the activity, and so they are when it is replayed:
 * the workflow has to do the same in both orders.
 */
test.concurrent.each<[what: string, items: number, checkpoint: Checkpoint]>([
  ['is run by one activity', 3, 'checked'],
  ['is planned', 30, 'planning'],
])(
  'a batch that is suspended while it %s, which outlasts a workflow task, goes on by its history',
  async (_, items, checkpoint) => {
    const drover = await Drover.start({ worker: false, environment: { ACTIVITY_TIMEOUT_SECONDS: '4' } });
    try {
      const tenant = new Tenant(drover);
      await drover.define('town', {});
      const worker = await spawnWorker(drover, null, { HOLD_AT: checkpoint });
      const pid = worker.pid ?? 0;
      // Temporal does not know that the worker stands still, and gives it the task
      process.kill(pid, 'SIGSTOP');
      const id = await tenant.upload(
        'town',
        Array.from({ length: items }, (_unused, n) => ({ externalId: `t${n}` })),
      );
      const workflow = drover.services.client.workflow.getHandle(batchWorkflowId(id));
      const started = await untilThere(workflow, isTaskStarted);
      // a program's: nothing is stored of it, so the activity does not stop
      await workflow.signal(suspendSignal);
      await pause(started + MOST_OF_A_TASK_MS - Date.now());
      process.kill(pid, 'SIGCONT');
      await untilThere(workflow, isTaskStarted, 2);
      process.kill(pid, 'SIGUSR2');
      await untilThere(workflow, isTaskCompleted);
      // the other worker knows only the history
      await worker.kill();
      await drover.startWorker();
      if ((await workflow.describe()).status.name === 'RUNNING') await workflow.signal(resumeSignal);
      expect(await tenant.ended(id)).toMatchObject({ status: 'success', actions: { created: items } });
    } finally {
      await drover.stop();
    }
  },
  90_000,
);
