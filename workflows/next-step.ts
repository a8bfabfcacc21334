import { counted } from '../domain/counted.ts';
import type { Work } from './messages.ts';

/** What a batch workflow does next. */
export type NextStep =
  /** Plans, applies and finishes a batch of few items at once, as far as nothing waits. */
  | { readonly kind: 'run-small' }
  /** Makes the next part of the plan. */
  | { readonly kind: 'plan'; readonly cursor: number }
  /** Applies work of the plan. */
  | { readonly kind: 'apply'; readonly work: Work }
  /** Applies pending items whose references exist. */
  | { readonly kind: 'apply-pending'; readonly indexes: readonly number[] }
  /** Checks whether the missing references of pending items exist. */
  | { readonly kind: 'check'; readonly indexes: readonly number[] }
  /** Ends pending items whose deadline has passed. */
  | { readonly kind: 'expire'; readonly indexes: readonly number[]; readonly asOf: number }
  /** Stores status and suspension, for readers that do not query the workflow. */
  | { readonly kind: 'store-state' }
  /** Stores that the batch is cancelled, so that running activities stop. */
  | { readonly kind: 'store-cancellation' }
  /** Waits until another step is next, at the latest until this time in ms since 1970. */
  | { readonly kind: 'wait'; readonly until?: number; readonly reason: string }
  | { readonly kind: 'continue-as-new' }
  | { readonly kind: 'finish' };

/** The state that the next step depends on. Times are in ms since 1970. */
export interface Situation {
  readonly cancelled: boolean;
  readonly suspended: boolean;
  /** The cancellation is stored. */
  readonly isCancelStored: boolean;
  /** The stored state differs from the current one. */
  readonly isUnrecorded: boolean;
  /** Nothing of the batch has begun, and its first activity is a local one: see `nextStep`. */
  readonly isNew: boolean;
  /** Nothing of the batch begins before. Absent: it does not wait for a time. */
  readonly startAt?: number | undefined;
  /** One activity may do all of it. */
  readonly isSmall: boolean;
  /** This execution should continue as new: the server suggests it, or will soon refuse signals. */
  readonly isLong: boolean;
  /** How many activities of the batch may apply items at the same time. */
  readonly concurrencyLimit: number;
  readonly running: Readonly<Record<'local' | 'plan' | 'apply' | 'check' | 'expire' | 'store', number>>;
  readonly plan: {
    readonly isDone: boolean;
    readonly nextWork: Work | undefined;
    readonly planFrom: number | undefined;
    readonly notBefore: number;
  };
  readonly pending: {
    readonly count: number;
    readonly indexes: readonly number[];
    readonly nextDeadline: number | undefined;
    dueAt(moment: number): readonly number[];
    /** A hint has come since the last check began (invariant 5). */
    readonly woken: boolean;
    /** The next chunk of items that the last check has found ready; a check with such chunks is not over. */
    readonly nextReady: readonly number[] | undefined;
    /** The last check is not over: its activity is running, or ready items of it are not applied yet. */
    readonly isChecking: boolean;
    /** When the last finished check began. */
    readonly checkedAt: number;
    /** No check begins before: another batch is applying these items. */
    readonly checkNotBefore: number;
    readonly expireNotBefore: number;
  };
}

/**
 * What a batch does next; pure, so that it can be read and tested as a table. The caller begins the step, which changes the situation,
 * before it asks for the next one.
 *
 * A local activity belongs to its workflow task. If the worker stands still until Temporal times the task out, signals that arrive
 * meanwhile reach the workflow after it has called the activity, but before that in every replay. So nothing else begins while one
 * runs, and whether one is called does not depend on signals.
 */
export function nextStep(batch: Situation, now: number): NextStep {
  const { running, plan, pending } = batch;
  if (running.local > 0) return { kind: 'wait', reason: 'a local activity is running' };
  // a signal has woken it before its time
  if (batch.startAt !== undefined && now < batch.startAt && !batch.cancelled)
    return batch.isLong
      ? { kind: 'continue-as-new' }
      : { kind: 'wait', until: batch.startAt, reason: 'waiting for its start time' };
  if (batch.isNew) return batch.isSmall ? { kind: 'run-small' } : { kind: 'plan', cursor: 0 };
  const isIdle = Object.values(running).every((count) => count === 0);
  if (batch.cancelled) {
    if (!batch.isCancelStored && running.apply > 0 && running.store === 0) return { kind: 'store-cancellation' };
    return isIdle
      ? { kind: 'finish' }
      : { kind: 'wait', reason: 'the batch is cancelled: waiting for running activities' };
  }
  const isOver = plan.isDone && pending.count === 0;
  if (isOver && isIdle) return { kind: 'finish' };
  if (batch.isLong && !isOver)
    return isIdle
      ? { kind: 'continue-as-new' }
      : { kind: 'wait', reason: 'waiting for running activities before continuing as new' };
  if (!isOver && batch.isUnrecorded && running.store === 0) return { kind: 'store-state' };
  return (batch.suspended ? undefined : nextWork(batch, now)) ?? nextExpiry(batch, now) ?? sleep(batch, now);
}

/** What to apply, plan or check next. The caller does not ask while the batch is suspended. */
function nextWork({ running, plan, pending, concurrencyLimit }: Situation, now: number): NextStep | undefined {
  if (running.apply < concurrencyLimit) {
    if (pending.nextReady !== undefined) return { kind: 'apply-pending', indexes: pending.nextReady };
    if (plan.nextWork !== undefined && now >= plan.notBefore) return { kind: 'apply', work: plan.nextWork };
  }
  if (plan.planFrom !== undefined && now >= plan.notBefore) return { kind: 'plan', cursor: plan.planFrom };
  const isToCheck = pending.woken || pending.dueAt(now).length > pending.dueAt(pending.checkedAt).length;
  if (pending.count > 0 && isToCheck && !pending.isChecking && running.expire === 0 && now >= pending.checkNotBefore)
    return { kind: 'check', indexes: pending.indexes };
  return undefined;
}

/**
 * Expires items whose deadline has passed if a check that began after the deadline has not found them ready. A suspended batch checks
 * nothing, and its deadlines run on.
 */
function nextExpiry({ running, pending, suspended }: Situation, now: number): NextStep | undefined {
  if (running.expire > 0 || pending.isChecking || now < pending.expireNotBefore) return undefined;
  const indexes = pending.dueAt(suspended ? now : Math.min(now, pending.checkedAt));
  return indexes.length === 0 ? undefined : { kind: 'expire', indexes, asOf: now };
}

function sleep({ plan, pending, suspended }: Situation, now: number): NextStep {
  const isHalted = !suspended && (plan.nextWork !== undefined || plan.planFrom !== undefined);
  const moments: readonly (readonly [until: number | undefined, reason: string])[] = [
    [pending.nextDeadline, `deadline of ${counted(pending.dueAt(pending.nextDeadline ?? 0).length, 'pending item')}`],
    [isHalted ? plan.notBefore : undefined, 'waiting for the signal of a suspend or cancel that is stored'],
    [suspended ? undefined : pending.checkNotBefore, 'another batch is applying pending items'],
    [pending.expireNotBefore, 'another batch is applying due items'],
  ];
  let next: NextStep = { kind: 'wait', reason: '' };
  for (const [until, reason] of moments) {
    if (until === undefined || until <= now) continue;
    if (next.until === undefined || until < next.until) next = { kind: 'wait', until, reason };
  }
  return next;
}
