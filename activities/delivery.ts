import { ApplicationFailure, activityInfo, type Info } from '@temporalio/activity';
import type { Dependencies } from './dependencies.ts';

/**
 * Part of an activity's time that is kept in hand before Temporal gives it up: nothing is written that late. Longer than a
 * command waits for its answer, so that a command sent in time is over in time.
 */
const MARGIN = 0.4;
const COMMAND_SHARE = 0.35;

/** Longest silence of one MongoDB command of an activity, in ms. */
export const commandTimeoutMs = (activityTimeoutSeconds: number): number =>
  activityTimeoutSeconds * 1000 * COMMAND_SHARE;

/** One delivery of an activity: who it is, and until when it may write. */
export interface Delivery {
  /** Unique to this attempt of this activity. */
  readonly id: string;
  /** Ids of the attempts before it. */
  readonly superseded: readonly string[];
  /**
   * Stops a delivery that Temporal may have given up already: a later one may have done its work, and writing now would do it
   * twice (invariant 2).
   * @throws a retryable failure.
   */
  assertInTime(): void;
}

export function currentDelivery(): Delivery {
  return deliveryOf(activityInfo());
}

/**
 * A delivery with its whole time to write ahead of it, where Temporal goes by its heartbeats: this one has been heard.
 * @throws where it was given up already: then a later one may be at work.
 */
export async function renewed({ client }: Pick<Dependencies, 'client'>, delivery: Delivery): Promise<Delivery> {
  const { heartbeatTimeoutMs, taskToken } = activityInfo();
  if (heartbeatTimeoutMs === undefined) return delivery;
  const assertHeard = inTime(heartbeatTimeoutMs);
  await client.workflowService.recordActivityTaskHeartbeat({ namespace: client.options.namespace, taskToken });
  return {
    ...delivery,
    assertInTime: () => {
      delivery.assertInTime();
      assertHeard();
    },
  };
}

export function deliveryOf(
  info: Pick<Info, 'workflowExecution' | 'activityId' | 'attempt' | 'startToCloseTimeoutMs'>,
): Delivery {
  const activity = `${info.workflowExecution?.workflowId}/${info.workflowExecution?.runId}/${info.activityId}`;
  return {
    id: `${activity}/${info.attempt}`,
    superseded: Array.from({ length: info.attempt - 1 }, (_, earlier) => `${activity}/${earlier + 1}`),
    assertInTime: inTime(info.startToCloseTimeoutMs),
  };
}

/** @returns throws once the time that was given from now on is over, but for what is kept in hand. */
function inTime(givenMs: number): () => void {
  const since = performance.now();
  return () => {
    if (performance.now() - since > givenMs * (1 - MARGIN))
      throw ApplicationFailure.retryable('out of time', 'OutOfTime');
  };
}

/** The activity cannot go on for now: somebody else is at work on what it needs. Retried soon. */
export function blocked(what: string): ApplicationFailure {
  return ApplicationFailure.create({ message: what, type: 'Blocked', nonRetryable: false, nextRetryDelay: '150ms' });
}
