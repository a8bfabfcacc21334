import {
  ActivityFailure,
  continueAsNew,
  log,
  proxyActivities,
  setCurrentDetails,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { RECOVERED, type Recovered, type RecoveryInput } from './messages.ts';

/** Duration of one activity: long enough for a short history, and each result reports what was recovered meanwhile. */
const SHIFT_MS = 10 * 60 * 1000;
/** Pause after an activity that failed because of a bug. */
const FAILED = '30s';

const { recover } = proxyActivities<Activities>({
  // finishing a large batch may take longer than the duration of the activity
  startToCloseTimeout: '1h',
  // after a worker has died, another one takes over soon
  heartbeatTimeout: '20s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '5s' },
  priority: { priorityKey: 1, fairnessKey: 'recovery' },
  summary: 'recover batches: start, finish, purge',
});

/**
 * Recovery, for as long as Drover runs: one activity after the other, whose jobs run side by side (`activities/recover.ts`).
 * Workers start this workflow again if it is terminated or deleted.
 */
export async function recoveryWorkflow(input: RecoveryInput = {}): Promise<Recovered> {
  if (input.once === true) return (await recover({ forMs: 0 })) satisfies Recovered;
  const total = input.total ?? noneRecovered();
  let places = input.places ?? {};
  for (;;) {
    setCurrentDetails(describe(total));
    try {
      const result = await recover({ forMs: SHIFT_MS, places });
      places = result.places;
      for (const kind of RECOVERED) total[kind] += result[kind];
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.error('recovery failed', { cause: error.cause?.message });
      await sleep(FAILED, { summary: 'recovery failed; the worker log has the reason' });
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof recoveryWorkflow>({ places, total });
  }
}

const noneRecovered = (): Recovered => ({ started: 0, inserted: 0, delivered: 0, finished: 0, purged: 0, removed: 0 });

/** What the Temporal UI shows: numbers only (invariant 7). */
function describe(total: Recovered): string {
  return [
    'Starts batches whose start was lost, finishes those whose workflow was, and removes what is deleted or too old.',
    '',
    ...RECOVERED.map((kind) => `- ${kind}: ${total[kind]}`),
  ].join('\n');
}
