import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import type { Counts } from '../domain/batch/outcome.ts';

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

/** Most activities return a tally of outcomes. */
function countsIn(result: unknown): Partial<Counts> {
  const { tally } = (typeof result === 'object' && result !== null ? result : {}) as {
    tally?: { counts: Partial<Counts> };
  };
  return tally?.counts ?? {};
}
