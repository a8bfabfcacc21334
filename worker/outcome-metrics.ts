import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import type { Counts } from '../domain/batch/outcome.ts';
import type { Tally } from '../domain/batch/tally.ts';

/**
 * Counts outcomes of items from the results of activities: `drover_items` by status, beside the metrics of the SDK. A retried
 * activity counts again: the numbers are for monitoring, not for accounting.
 */
export function countOutcomes({ metricMeter }: Context): ActivityInterceptors {
  const items = metricMeter.createCounter('drover_items', 'items', 'Items by what became of them');
  return {
    inbound: {
      execute: async (input, next) => {
        const result = await next(input);
        for (const [status, count] of Object.entries(countsIn(result))) if (count > 0) items.add(count, { status });
        return result;
      },
    },
  };
}

/** Most activities return a tally of outcomes; one that runs a whole batch has that of its work in its result. */
function countsIn(result: unknown): Partial<Counts> {
  const { tally, applied } = (typeof result === 'object' && result !== null ? result : {}) as {
    tally?: Tally;
    applied?: { tally: Tally };
  };
  return (applied?.tally ?? tally)?.counts ?? {};
}
