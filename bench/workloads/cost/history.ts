import { batchWorkflowId } from '../../../workflows/messages.ts';
import { customers } from '../../data/customers.ts';
import type { Benchmark } from '../../run/bench.ts';

/** Temporal's `EVENT_TYPE_ACTIVITY_TASK_SCHEDULED`, and `EVENT_TYPE_MARKER_RECORDED` of an activity inside a workflow task. */
const ACTIVITY_EVENTS: readonly unknown[] = [10, 25];

/** What a batch of 1000 leaves in Temporal. */
export const history: Benchmark = {
  name: 'history',
  about: 'history and activities of one batch of 1000 resources',
  run: (bench) =>
    bench.withInstallation((drover) =>
      bench.inRounds(async () => {
        const id = await drover.upload(customers(0, bench.size(1000)), await drover.newTenant());
        await drover.ended([id]);
        const handle = drover.client.workflow.getHandle(batchWorkflowId(id));
        await handle.result();
        const { events } = await handle.fetchHistory();
        const { historySize } = await handle.describe();
        const activities = events?.filter(({ eventType }) => ACTIVITY_EVENTS.includes(eventType)).length ?? 0;
        return [
          { name: 'history events', unit: '', values: [events?.length ?? 0], target: { atMost: 500 } },
          { name: 'history', unit: 'kB', values: [(historySize ?? 0) / 1000] },
          { name: 'activities', unit: '', values: [activities], target: { atMost: 60 } },
        ];
      }),
    ),
};
