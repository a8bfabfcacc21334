import { metricMeter } from '@temporalio/activity';
import { isOpen } from '../../domain/batch/outcome.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';

type Outcomes = ReadonlyMap<number, Pick<StoredOutcome, 'status' | 'pendingSince'>>;

/** Records how long the items have waited whose wait has ended: for monitoring, as an activity that is repeated may record them again. */
export function recordWaits(before: Outcomes, after: Outcomes): void {
  const ended = [...after].flatMap(([index, { status }]) => {
    const { pendingSince, ...was } = before.get(index) ?? { status: 'queued' };
    return was.status === 'pending' && pendingSince !== undefined && !isOpen(status) ? [{ pendingSince, status }] : [];
  });
  if (ended.length === 0) return;
  const waits = metricMeter.createHistogram('drover_item_wait', 'float', 'seconds', 'Time that items were pending');
  for (const { pendingSince, status } of ended) waits.record((Date.now() - pendingSince.getTime()) / 1000, { status });
}
