import type { Counts } from './outcome.ts';

export interface FinishedBatch {
  readonly completedAt: Date;
  /** Absent: the batch has ended without a result. */
  readonly counts: Readonly<Counts> | undefined;
}

/** What has finished in one minute. */
interface Minute {
  /** Its beginning, ISO 8601. */
  readonly at: string;
  batches: number;
  items: number;
  /** Of the items: failed, expired and cancelled ones. */
  unsuccessful: number;
}

const MINUTE_MS = 60_000;
/** The last hour. */
export const THROUGHPUT_MINUTES = 60;

/** The beginning of the last hour, in whole minutes with the present one as the last. */
export const throughputSince = (now: Date): Date =>
  new Date((Math.floor(now.getTime() / MINUTE_MS) - THROUGHPUT_MINUTES + 1) * MINUTE_MS);

/** Items by the minute in which their batch has finished, the oldest first. Whatever finished at another time is left out. */
export function throughputByMinute(finished: Iterable<FinishedBatch>, since: Date): Minute[] {
  const minutes: Minute[] = Array.from({ length: THROUGHPUT_MINUTES }, (_, n) => ({
    at: new Date(since.getTime() + n * MINUTE_MS).toISOString(),
    batches: 0,
    items: 0,
    unsuccessful: 0,
  }));
  for (const { completedAt, counts } of finished) {
    const minute = minutes[Math.floor((completedAt.getTime() - since.getTime()) / MINUTE_MS)];
    if (minute === undefined) continue;
    minute.batches += 1;
    if (counts === undefined) continue;
    const unsuccessful = counts.failed + counts.expired + counts.cancelled;
    minute.items += counts.succeeded + counts.skipped + unsuccessful;
    minute.unsuccessful += unsuccessful;
  }
  return minutes;
}
