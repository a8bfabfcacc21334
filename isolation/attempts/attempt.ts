import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, activityInfo, type Info } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { type AttemptOfCommands, currentAttempt } from '../../store/mongodb/command-time.ts';
import { attemptName, sinceOf } from './attempt-names.ts';

/** Share of an attempt's time at the end, before Temporal times it out, in which it decides nothing. */
const MARGIN = 0.4;
/** Share of it that is left when its last command is over, answered or not. */
const COMMAND_MARGIN = 0.1;
const COMMAND_SHARE = 0.35;

/** Longest time of one MongoDB command of an activity with this time limit, in ms. */
export const commandTimeoutMs = (activityTimeoutMs: number): number => activityTimeoutMs * COMMAND_SHARE;

/** One attempt of an activity: its names, and until when it may write. */
export interface Attempt {
  /** Unique to this attempt of this activity. */
  readonly id: string;
  /** Names the activity, the same for all of its attempts. */
  readonly activity: string;
  /** Names the execution of the workflow; the execution by Temporal's id; and the workflow, whatever its executions. */
  readonly execution: string;
  readonly runId: string;
  readonly workflow: string;
  /** Names the activity that runs a whole batch in this execution, which may be this one. */
  readonly whole: string;
  /** When Temporal scheduled it, in ms by its clock: later than any attempt before it, whatever their numbers are (`attemptName`). */
  readonly since: number;
  /** 1 for the first one, and for the first one after the activity was reset. */
  readonly number: number;
  /** No attempt came before it, according to Temporal: an attempt after a reset may seem to be the first. */
  readonly isFirst: boolean;
  /**
   * A local activity: Temporal does not say whether an attempt came before it. It goes by what attempts leave, and is called again as
   * another activity where it meets something of theirs.
   */
  readonly isLocal: boolean;
  /** How long it may take in all, in ms. */
  readonly limitMs: number;
  /** Whether a group was named after an attempt of this activity that came before this one, or of another execution of the workflow. */
  isOfEarlierAttempt(group: string): boolean;
  /** Whether an attempt before it may have run out of time: slow work must not be done in the same way again. */
  readonly isAfterTimeout: boolean;
  /**
   * Stops an attempt that Temporal may have timed out already: a later one may have done its work, and writing now would do it
   * twice (invariant 2).
   * @throws a retryable failure.
   */
  assertInTime(): void;
}

export function thisAttempt(): Attempt {
  return attemptOf(activityInfo());
}

type Limits = Pick<Info, 'startToCloseTimeoutMs' | 'heartbeatTimeoutMs'>;
type Identity = Pick<Info, 'workflowExecution' | 'activityId' | 'activityType'>;
type Times = Limits & Pick<Info, 'currentAttemptScheduledTimestampMs'>;

/**
 * The running attempt, as its commands see it: the limits are its own, whatever this worker's configuration (its batch was
 * started under another `ACTIVITY_TIMEOUT_SECONDS`, or it is a local activity).
 * @param asOf what the workflow's clock has shown, in ms since 1970.
 */
export function attemptOfCommands(info: Identity & Times = activityInfo(), asOf = 0): AttemptOfCommands {
  const { startToCloseTimeoutMs, currentAttemptScheduledTimestampMs } = info;
  const began = performance.now();
  // 0 if there is none
  const heartbeatTimeoutMs = info.heartbeatTimeoutMs || startToCloseTimeoutMs;
  const end = began + startToCloseTimeoutMs * (1 - COMMAND_MARGIN);
  const longest = commandTimeoutMs(Math.min(startToCloseTimeoutMs, heartbeatTimeoutMs));
  const leftMs = (): number => {
    const left = end - performance.now();
    if (left <= 0) throw outOfTime();
    return left;
  };
  let begun = 0;
  const beginMs = (): number => {
    begun += 1;
    return leftMs();
  };
  return {
    activity: activityIdentity(info),
    since: currentAttemptScheduledTimestampMs,
    cursorTimeMs: beginMs,
    commandTimeMs: () => Math.min(longest, beginMs()),
    begun: () => begun,
    // Temporal's clock shows at least this time
    now: () =>
      new Date(Math.max(Date.now(), Math.max(currentAttemptScheduledTimestampMs, asOf) + performance.now() - began)),
  };
}

/**
 * The activity type that a workflow calls as a local activity and, where that fails, once more as another activity: an execution
 * has one of this type at a time, so that all of them count as attempts of the same.
 */
const CALLED_AGAIN = 'runSmallBatch';

const activityIdentity = ({ workflowExecution, activityId, activityType }: Identity): string =>
  `${workflowExecution?.workflowId}/${workflowExecution?.runId}/${activityType === CALLED_AGAIN ? activityType : activityId}`;

const outOfTime = (): ApplicationFailure => ApplicationFailure.retryable('out of time', 'OutOfTime');

/** Share of the heartbeat timeout between two heartbeats that keep an attempt alive. */
const BEAT_SHARE = 0.2;

/**
 * Runs work by an attempt that keeps its full time to write, if Temporal measures it by its heartbeats: they are sent while the work begins
 * commands, and each that is accepted says that no later attempt is at work. For work that takes longer than the time between two heartbeats although each of its commands is
 * short. An attempt that stands still is timed out as without.
 * @throws if Temporal has timed the attempt out already, or gets no heartbeat in time: then a later attempt may be at work.
 */
export async function keepingAlive<T>(
  { client }: { readonly client: Client },
  attempt: Attempt,
  work: (alive: Attempt) => Promise<T>,
): Promise<T> {
  const { heartbeatTimeoutMs, taskToken } = activityInfo();
  if (!heartbeatTimeoutMs) return work(attempt);
  let assertHeard = (): void => undefined;
  let heard: number | undefined;
  const beat = async (): Promise<void> => {
    const begun = currentAttempt()?.begun();
    if (heard !== undefined && begun === heard) return;
    heard = begun;
    const asserted = inTime(heartbeatTimeoutMs);
    await client.workflowService.recordActivityTaskHeartbeat({ namespace: client.options.namespace, taskToken });
    assertHeard = asserted;
  };
  await beat();
  const over = new AbortController();
  const beating = beatUntil(over.signal, heartbeatTimeoutMs * BEAT_SHARE, beat);
  try {
    return await work({
      ...attempt,
      assertInTime: () => {
        attempt.assertInTime();
        assertHeard();
      },
    });
  } finally {
    over.abort();
    await beating;
  }
}

async function beatUntil(over: AbortSignal, everyMs: number, beat: () => Promise<void>): Promise<void> {
  while (!over.aborted) {
    await sleep(everyMs, undefined, { signal: over }).catch(() => undefined);
    // one that is refused, or gets no answer, leaves the time that the last one has given
    if (!over.aborted) await beat().catch(() => undefined);
  }
}

/** @internal exported for tests, which check it by itself */
export function attemptOf(
  info: Identity &
    Pick<Info, 'attempt' | 'startToCloseTimeoutMs'> &
    Partial<Pick<Info, 'scheduledTimestampMs' | 'currentAttemptScheduledTimestampMs' | 'isLocal'>>,
): Attempt {
  const { scheduledTimestampMs = 0, currentAttemptScheduledTimestampMs = 0 } = info;
  const sinceFirstMs = currentAttemptScheduledTimestampMs - scheduledTimestampMs;
  const activity = activityIdentity(info);
  const workflow = `${info.workflowExecution?.workflowId}`;
  const runId = `${info.workflowExecution?.runId}`;
  const execution = `${workflow}/${runId}`;
  const since = currentAttemptScheduledTimestampMs;
  const id = attemptName(activity, since);
  return {
    id,
    activity,
    execution,
    runId,
    workflow,
    whole: `${execution}/${CALLED_AGAIN}`,
    since,
    number: info.attempt,
    isFirst: info.attempt === 1 && sinceFirstMs === 0 && info.activityType !== CALLED_AGAIN,
    isLocal: info.isLocal ?? false,
    limitMs: info.startToCloseTimeoutMs,
    isOfEarlierAttempt: (group) => {
      if (group.startsWith(`${activity}/`)) return group !== id && sinceOf(activity, group) <= since;
      return group.startsWith(`${workflow}/`) && !group.startsWith(`${execution}/`);
    },
    // the first attempt after a reset is numbered 1 again
    isAfterTimeout: sinceFirstMs > info.startToCloseTimeoutMs * (1 - MARGIN),
    assertInTime: inTime(info.startToCloseTimeoutMs),
  };
}

/** @returns a function that throws once the given time is over, except for the reserved share. */
function inTime(givenMs: number): () => void {
  const since = performance.now();
  return () => {
    if (performance.now() - since > givenMs * (1 - MARGIN)) throw outOfTime();
  };
}

const BLOCKED = 'Blocked';

/** The activity cannot continue for now: another worker is at work on something that it needs. Retried soon. */
export function blocked(what: string): ApplicationFailure {
  return ApplicationFailure.create({ message: what, type: BLOCKED, nonRetryable: false, nextRetryDelay: '150ms' });
}

/** Whether this error is made by `blocked`: then every command of the attempt was answered. */
export const isBlocked = (error: unknown): boolean => error instanceof ApplicationFailure && error.type === BLOCKED;
