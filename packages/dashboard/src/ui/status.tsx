import type { Batch, Item } from '@drover/client';
import { strings } from '../strings.ts';
import { number } from './format.ts';

/** Status of a batch or import, in words and colour. */
export function StatusBadge({ status, suspended = false }: { status: Batch['status']; suspended?: boolean }) {
  const isRunning = status === 'queued' || status === 'processing' || status === 'waiting';
  const shown = suspended && isRunning ? 'suspended' : status;
  return (
    <span className={`badge badge-${shown}`}>
      <span aria-hidden="true" className="dot" />
      {shown === 'suspended' ? strings.suspended : strings.statuses[shown]}
    </span>
  );
}

export function ItemBadge({ status }: { status: Item['status'] }) {
  return (
    <span className={`badge badge-${status}`}>
      <span aria-hidden="true" className="dot" />
      {strings.itemStatuses[status]}
    </span>
  );
}

/** In the order of a bar: what is done first, what is still to do last. */
export const ITEM_STATUSES = [
  'succeeded',
  'skipped',
  'failed',
  'expired',
  'cancelled',
  'pending',
  'queued',
] as const satisfies readonly Item['status'][];

/** Counts as parts of one bar. */
export function CountBar({ counts, isLarge = false }: { counts: Batch['counts']; isLarge?: boolean }) {
  const total = ITEM_STATUSES.reduce((sum, status) => sum + counts[status], 0);
  const parts = ITEM_STATUSES.filter((status) => counts[status] > 0);
  const label = parts.map((status) => `${number(counts[status])} ${strings.itemStatuses[status]}`).join(', ');
  return (
    <span aria-label={label} className={isLarge ? 'bar bar-large' : 'bar'} role="img" title={label}>
      {parts.map((status) => (
        <span className={`part part-${status}`} key={status} style={{ flexGrow: counts[status] / total }} />
      ))}
    </span>
  );
}
