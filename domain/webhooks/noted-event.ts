import type { BatchResult, BatchStatus } from '../batch/batch.ts';
import type { WebhookEvent } from './webhook.ts';

/**
 * An event, noted on its batch or import in the write that makes it: whatever process dies then, recovery finds it, and tells the webhooks. It holds what
 * the end of the run was, as the next run may have begun by then.
 */
export interface NotedEvent {
  /** UUID version 7, from which the ids of its messages follow. */
  id: string;
  type: WebhookEvent;
  at: Date;
  status: BatchStatus;
  /** Of the end of a run. */
  result?: BatchResult & { batches?: number };
}

/** The fields of a batch or import that hold its events until messages are made of them. */
export interface WithEvents {
  events?: NotedEvent[];
  /** There are some: recovery finds them by this. */
  hasEvents?: true;
  /** From when on recovery makes them. */
  eventsDue?: Date;
}

/** Time in which the process that notes an event makes its messages; after that recovery does, in ms. */
const GRACE_MS = 10_000;

/** The fields that are set, and what else is updated, by the write that notes an event. */
export const noted = (event: NotedEvent | null) => (event === null ? {} : { hasEvents: true as const });
export const noting = (event: NotedEvent | null) =>
  event === null ? {} : { $push: { events: event }, $min: { eventsDue: new Date(event.at.getTime() + GRACE_MS) } };
