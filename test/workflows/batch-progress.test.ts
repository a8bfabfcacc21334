import { expect, test } from 'vitest';
import { BatchProgress } from '../../workflows/batch-progress.ts';
import type { CheckResult, WorkResult } from '../../workflows/messages.ts';
import { nextStep } from '../../workflows/next-step.ts';

const NOW = 100_000;
const DEADLINE = NOW + 60_000;
const INPUT = {
  batchId: 'b',
  operation: 'upload',
  scope: 'p/t',
  schemaName: 'parcel',
  total: 4,
  run: 1,
  activityTimeoutSeconds: 5,
} as const;
const WORK = { kind: 'items', indexes: [0, 1, 2, 3] } as const;

const resultOf = (counts: WorkResult['tally']['counts'], pending: readonly number[] = []): WorkResult => ({
  tally: { counts, actions: {}, errorCodes: {} },
  pending: pending.length === 0 ? [] : [{ expiresAt: DEADLINE, indexes: pending }],
});
const checkOf = (ready: number[][][], change: Partial<CheckResult> = {}): CheckResult => ({
  settled: [],
  result: resultOf({}),
  ready,
  lookAgain: false,
  ...change,
});
const stepOf = (progress: BatchProgress, now: number) => nextStep(progress.situation(false), now);

/** A batch whose items all wait until `DEADLINE`, with its state stored. */
function waiting(): BatchProgress {
  const progress = new BatchProgress(INPUT);
  progress.plan.beginPlan();
  progress.planned({ tally: resultOf({}).tally, stages: [[WORK]] }, NOW);
  progress.plan.begin();
  progress.applied(WORK, resultOf({ pending: 4 }, [0, 1, 2, 3]), NOW);
  progress.beginStore();
  return progress;
}

/** The same, while a check runs. */
function checking(): BatchProgress {
  const progress = waiting();
  progress.beginCheck(NOW);
  return progress;
}

test('items that became pending are checked once their stage is done', () => {
  expect(stepOf(waiting(), NOW)).toEqual({ kind: 'check', indexes: [0, 1, 2, 3] });
});

test('work left by halted activities stays queued, and is applied again after the pause or the signal', () => {
  const progress = new BatchProgress(INPUT);
  progress.plan.beginPlan();
  progress.planned({ tally: resultOf({}).tally, stages: [[WORK]] }, NOW);
  progress.plan.begin();
  progress.applied(WORK, { ...resultOf({ succeeded: 2 }), left: [2, 3] }, NOW);
  expect(progress.state.summary().counts).toMatchObject({ succeeded: 2, queued: 2 });
  expect(stepOf(progress, NOW)).toMatchObject({ kind: 'wait', until: NOW + 250 });
  expect(stepOf(progress, NOW + 250)).toEqual({ kind: 'apply', work: { kind: 'items', indexes: [2, 3] } });
  progress.suspend();
  progress.resume();
  progress.beginStore();
  expect(stepOf(progress, NOW)).toMatchObject({ kind: 'apply' });
});

test('work of an outdated plan is planned again, not applied again', () => {
  const progress = new BatchProgress(INPUT);
  progress.plan.beginPlan();
  progress.planned({ tally: resultOf({}).tally, stages: [[WORK]], links: 'before' }, NOW);
  progress.plan.begin();
  progress.applied(WORK, { ...resultOf({ succeeded: 1 }), left: [1, 2, 3], isOutdated: true }, NOW);
  expect(progress.plan.isOutdated).toBe(true);
  expect(stepOf(progress, NOW)).toEqual({ kind: 'plan', cursor: 0 });
  expect(progress.state.summary().counts).toMatchObject({ succeeded: 1, queued: 3 });
});

test('an activity that failed because of a bug leaves its items queued, for finish to fail', () => {
  const progress = new BatchProgress(INPUT);
  progress.plan.beginPlan();
  progress.planned({ tally: resultOf({}).tally, stages: [[WORK]] }, NOW);
  progress.plan.begin();
  progress.applied(WORK, null, NOW);
  expect(progress.state.summary().counts.queued).toBe(4);
  expect(stepOf(progress, NOW)).toEqual({ kind: 'finish' });
});

test('what a check has found ready is applied stage after stage', () => {
  const progress = checking();
  progress.checked(checkOf([[[0], [1]], [[2]]]), NOW);
  for (const indexes of [[0], [1]]) {
    expect(stepOf(progress, NOW)).toEqual({ kind: 'apply-pending', indexes });
    progress.beginReady();
  }
  expect(stepOf(progress, NOW).kind).toBe('wait');
  progress.appliedPending([0], resultOf({ succeeded: 1 }), NOW);
  expect(stepOf(progress, NOW).kind).toBe('wait');
  progress.appliedPending([1], resultOf({ succeeded: 1 }), NOW);
  expect(stepOf(progress, NOW)).toEqual({ kind: 'apply-pending', indexes: [2] });
  progress.beginReady();
  progress.appliedPending([2], resultOf({ succeeded: 1 }), NOW);
  expect(progress.state.pendingIndexes).toEqual([3]);
  expect(stepOf(progress, NOW)).toMatchObject({ kind: 'wait', until: DEADLINE });
});

test('suspend drops what a check has found and nothing has begun; resume checks again', () => {
  const progress = checking();
  progress.checked(checkOf([[[0], [1]], [[2]]]), NOW);
  progress.beginReady();
  progress.suspend();
  progress.appliedPending([0], resultOf({ succeeded: 1 }), NOW);
  progress.beginStore();
  expect(progress.situation(false).pending).toMatchObject({ isChecking: false, nextReady: undefined });
  expect(stepOf(progress, NOW)).toMatchObject({ kind: 'wait', until: DEADLINE });
  progress.resume();
  progress.beginStore();
  expect(stepOf(progress, NOW)).toEqual({ kind: 'check', indexes: [1, 2, 3] });
});

test('a check that answers after suspend begins nothing', () => {
  const progress = checking();
  progress.suspend();
  progress.checked(checkOf([[[0]]]), NOW);
  progress.beginStore();
  expect(progress.situation(false).pending).toMatchObject({ isChecking: false, nextReady: undefined });
  expect(stepOf(progress, NOW).kind).toBe('wait');
});

test('ready items that another batch claims are checked again, but not at once', () => {
  const progress = checking();
  progress.checked(checkOf([[[0]]]), NOW);
  progress.beginReady();
  progress.appliedPending([0], resultOf({ pending: 1 }, [0]), NOW);
  expect(stepOf(progress, NOW)).toMatchObject({ kind: 'wait', until: NOW + 500 });
  expect(stepOf(progress, NOW + 500)).toEqual({ kind: 'check', indexes: [0, 1, 2, 3] });
});

test('due items expire only after a check that began at or after their deadline has found them not ready', () => {
  const progress = checking();
  progress.checked(checkOf([]), NOW);
  expect(stepOf(progress, DEADLINE)).toEqual({ kind: 'check', indexes: [0, 1, 2, 3] });
  progress.beginCheck(DEADLINE);
  progress.checked(checkOf([]), DEADLINE + 5);
  expect(stepOf(progress, DEADLINE + 5)).toEqual({ kind: 'expire', indexes: [0, 1, 2, 3], asOf: DEADLINE + 5 });
  progress.expired([0, 1, 2, 3], resultOf({ expired: 4 }), DEADLINE + 5);
  expect(stepOf(progress, DEADLINE + 5)).toEqual({ kind: 'finish' });
});

test('due items that another batch applies are not expired, and are checked and expired again later', () => {
  const progress = checking();
  progress.checked(checkOf([]), DEADLINE);
  progress.beginCheck(DEADLINE);
  progress.checked(checkOf([]), DEADLINE);
  progress.expired([0, 1, 2, 3], resultOf({ expired: 3, pending: 1 }, [3]), DEADLINE);
  expect(progress.situation(false).pending).toMatchObject({ count: 1, expireNotBefore: DEADLINE + 500, woken: true });
  expect(stepOf(progress, DEADLINE)).toEqual({ kind: 'check', indexes: [3] });
});

test('items of a check that failed because of a bug are requeued, for finish to fail', () => {
  const progress = checking();
  progress.checked(null, NOW);
  expect(progress.state.summary().counts).toMatchObject({ queued: 4, pending: 0 });
  expect(stepOf(progress, NOW)).toEqual({ kind: 'finish' });
});
