import { describe, expect, test } from 'vitest';
import { type Counts, noActions, noCounts } from '../../domain/batch/outcome.ts';
import type { BatchReport } from '../../domain/imports/import.ts';
import type { SummedBatches } from '../../domain/imports/sum.ts';
import { ImportProgress } from '../../workflows/imports/import-progress.ts';
import type { ImportState } from '../../workflows/imports/messages.ts';

const INPUT = {
  importId: 'import',
  scope: 'default/default',
  schemaName: 'city',
  run: 1,
  window: 4,
  activityTimeoutSeconds: 20,
  waits: true,
};
const NOTHING = { counts: noCounts(), actions: noActions(), errorCodes: {} };
const sum = (batches: number, counts: Partial<Counts> = {}): SummedBatches => ({
  batches,
  result: { ...NOTHING, counts: { ...noCounts(), ...counts } },
});
const NONE = { batches: 0, rows: 0 };

const state = (more: Partial<ImportState> = {}): ImportState => ({
  suspended: false,
  cancelled: false,
  next: 1,
  isAtEnd: false,
  sealed: true,
  rowsRead: 0,
  bytesRead: 0,
  received: 100,
  finished: sum(0),
  waiting: sum(0),
  running: [],
  unnamed: NONE,
  ...more,
});

const finished = (number: number, succeeded = 10): BatchReport => ({
  ...NOTHING,
  counts: { succeeded },
  number,
  isFinished: true,
  round: 0,
});
const waiting = (number: number, pending: number): BatchReport => ({
  ...NOTHING,
  counts: { pending, succeeded: 10 - pending },
  number,
  isFinished: false,
  round: 0,
});
const open = (number: number) => ({ number, total: 10 });
const step = (progress: ImportProgress, now = 0) => progress.nextStep(false, now).kind;
const ALL_CUT = { next: 3, isAtEnd: true, rowsRead: 20 };

/** An import whose content is cut into two batches of 10 rows. */
function cutInTwo(): ImportProgress {
  const progress = new ImportProgress(INPUT);
  progress.beginCheck();
  progress.checked(state({ ...ALL_CUT, running: [open(1), open(2)] }), 0);
  return progress;
}

describe('a report', () => {
  test('that comes while a check reads what is stored is not lost, whether the check has read it or not', () => {
    for (const isRead of [false, true]) {
      const progress = cutInTwo();
      progress.beginCheck();
      progress.reported(finished(1), 0);
      const read = isRead
        ? { finished: sum(1, { succeeded: 10 }), running: [open(2)] }
        : { running: [open(1), open(2)] };
      progress.checked(state({ ...ALL_CUT, ...read }), 0);
      expect(progress.summary(0)).toMatchObject({
        counts: { queued: 10, succeeded: 10 },
        batches: { total: 2, running: 1 },
      });
    }
  });

  test('of a batch that is not known yet counts once the batch is', () => {
    const progress = new ImportProgress(INPUT);
    progress.beginCheck();
    progress.checked(state(), 0);
    progress.beginCut();
    progress.reported(finished(1), 0);
    const cut = { isAtEnd: true, sealed: true, rowsRead: 10, bytesRead: 100, received: 100 };
    progress.cut({ ...cut, batches: [open(1)], retryFrom: null, hasFew: false, hasRetried: false }, 0);
    expect(step(progress)).toBe('finish');
    expect(progress.summary(0).counts).toMatchObject({ queued: 0, succeeded: 10 });
  });

  test('that is repeated counts once', () => {
    const progress = cutInTwo();
    for (let n = 0; n < 2; n++) progress.reported(finished(1), 0);
    expect(progress.summary(0).counts).toMatchObject({ queued: 10, succeeded: 10 });
  });

  test('of a batch that waits makes the store be read again, once for many, and later the more wait', () => {
    for (const [batches, pause] of [
      [2, 200],
      [1_000, 2_000],
    ] as const) {
      const progress = new ImportProgress(INPUT);
      progress.beginCheck();
      progress.checked(state({ next: 1_002, rowsRead: 10_010, waiting: sum(batches, { pending: 10 }) }), 0);
      progress.beginCut();
      for (let number = 1; number <= batches; number++) progress.reported(finished(number), number / 1_000);
      expect(progress.nextStep(false, 10)).toEqual({ kind: 'wait', until: pause + 1 / 1_000 });
      expect(step(progress, pause + 1)).toBe('check');
    }
  });
});

test('the store is read again after a time without news: half a minute, then later and later', () => {
  const progress = cutInTwo();
  let now = 0;
  const pauses = Array.from({ length: 5 }, () => {
    const next = progress.nextStep(false, now);
    const before = now;
    if (next.kind === 'wait') now = next.until;
    progress.beginCheck();
    progress.checked(state({ ...ALL_CUT, running: [open(1), open(2)] }), now);
    return now - before;
  });
  expect(pauses).toEqual([30_000, 60_000, 120_000, 240_000, 300_000]);
  progress.reported(waiting(1, 1), now);
  progress.outdate();
  expect(step(progress, now)).toBe('check');
});

describe('what waits until the end of the import', () => {
  test('is settled once nothing runs, and again when the batches that were asked have answered', () => {
    const progress = cutInTwo();
    progress.reported(waiting(1, 4), 0);
    expect(step(progress)).toBe('wait');
    progress.reported(waiting(2, 3), 0);
    expect(progress.summary(0).status).toBe('waiting');
    // what the last rows have created may wake all of them
    expect(progress.nextStep(false, 0)).toEqual({ kind: 'wait', until: 1_040 });
    expect(step(progress, 1_040)).toBe('settle');
    progress.settled({ isRunning: false, asked: 2, isEnd: false }, 0);
    expect(step(progress)).toBe('wait');
    progress.reported(waiting(1, 2), 0);
    expect(step(progress)).toBe('wait');
    progress.reported(waiting(2, 3), 0);
    // their numbers are read, and then decided by
    expect(step(progress)).toBe('check');
    progress.beginCheck();
    progress.checked(state({ ...ALL_CUT, waiting: sum(2, { pending: 5, succeeded: 15 }) }), 0);
    expect(step(progress)).toBe('settle');
    progress.settled({ isRunning: false, asked: 2, isEnd: true }, 0);
    for (const number of [1, 2]) progress.reported(finished(number), 0);
    expect(step(progress)).toBe('check');
    progress.beginCheck();
    progress.checked(state({ ...ALL_CUT, finished: sum(2, { succeeded: 15, failed: 5 }) }), 0);
    expect(step(progress)).toBe('finish');
  });

  test('is not settled while batches wake and finish', () => {
    const progress = new ImportProgress(INPUT);
    progress.beginCheck();
    progress.checked(state({ next: 12, isAtEnd: true, rowsRead: 110, running: [open(11)], waiting: sum(10) }), 0);
    progress.reported(waiting(11, 1), 0);
    for (let number = 1; number <= 8; number++) {
      const now = number * 700;
      progress.reported(finished(number), now);
      expect(step(progress, now + 150)).toBe('wait');
      progress.beginCheck();
      progress.checked(state({ next: 12, isAtEnd: true, rowsRead: 110, waiting: sum(11 - number) }), now + 200);
    }
    expect(step(progress, 8 * 700 + 1_199)).toBe('wait');
    expect(step(progress, 8 * 700 + 1_220)).toBe('settle');
  });

  test('is settled again after a time although a batch does not answer, and a retried one is waited for', () => {
    const progress = cutInTwo();
    for (const number of [1, 2]) progress.reported(waiting(number, 1), 0);
    progress.settled({ isRunning: false, asked: 2, isEnd: false }, 0);
    expect(progress.nextStep(false, 0)).toEqual({ kind: 'wait', until: 1_000 });
    expect(step(progress, 1_000)).toBe('settle');
    progress.settled({ isRunning: true, asked: 0, isEnd: false }, 1_000);
    expect(step(progress, 1_000)).toBe('check');
    progress.beginCheck();
    progress.checked(state({ ...ALL_CUT, waiting: sum(1, { pending: 1 }), running: [open(2)] }), 1_000);
    expect(step(progress, 10_000)).toBe('wait');
  });

  test('is not told of the end again by an execution that continues as new', () => {
    const progress = cutInTwo();
    for (const number of [1, 2]) progress.reported(waiting(number, 1), 0);
    progress.settled({ isRunning: false, asked: 2, isEnd: true }, 0);
    expect(progress.nextStep(true, 0).kind).toBe('continue-as-new');
    const next = new ImportProgress({ ...INPUT, ...progress.carry() });
    next.beginCheck();
    next.checked(state({ ...ALL_CUT, waiting: sum(2, { pending: 2 }) }), 0);
    expect(step(next)).toBe('wait');
  });
});

test('a cancellation in Temporal is stored before an execution continues as new', () => {
  const progress = cutInTwo();
  progress.cancelledInTemporal();
  expect([progress.nextStep(true, 0).kind, progress.asked]).toEqual(['check', { isCancelled: true }]);
  progress.beginCheck();
  progress.checked(state({ ...ALL_CUT, cancelled: true, running: [open(1)] }), 0);
  expect(progress.nextStep(true, 0).kind).toBe('continue-as-new');
});

test('an import with a start time does nothing before, except that a cancelled one ends at once', () => {
  const progress = new ImportProgress({ ...INPUT, startAt: 60_000 });
  progress.contentReceived();
  expect(progress.nextStep(false, 1_000)).toEqual({ kind: 'wait', until: 60_000 });
  expect(progress.nextStep(false, 60_000).kind).toBe('check');
  progress.outdate();
  expect(step(progress, 2_000)).toBe('check');
  progress.beginCheck();
  progress.checked(state(), 2_000);
  expect(step(progress, 2_000)).toBe('wait');
  progress.outdate();
  progress.beginCheck();
  progress.checked(state({ cancelled: true }), 3_000);
  expect(step(progress, 3_000)).toBe('finish');
});

test('the window is filled when half of it is free; what waits takes no place', () => {
  const progress = new ImportProgress(INPUT);
  progress.beginCheck();
  progress.checked(state({ next: 5, rowsRead: 40, running: [1, 2, 3, 4].map(open) }), 0);
  expect(step(progress)).toBe('wait');
  progress.reported(finished(1), 0);
  expect(step(progress)).toBe('wait');
  progress.reported(waiting(2, 1), 0);
  expect(progress.nextStep(false, 0)).toEqual({ kind: 'cut', room: 2 });
});

describe('the speed of an import', () => {
  const rows = (progress: ImportProgress, number: number, now: number) =>
    progress.reported(finished(number, 1_000), now);
  function running(more: Partial<ImportState> = {}): ImportProgress {
    const progress = new ImportProgress(INPUT);
    progress.beginCheck();
    const batches = Array.from({ length: 20 }, (_, at) => ({ number: at + 1, total: 1_000 }));
    const sizes = { next: 21, rowsRead: 20_000, bytesRead: 2_000_000, received: 4_000_000 };
    progress.checked(state({ ...sizes, running: batches, ...more }), 0);
    return progress;
  }

  test('is absent until it means something, is that of the last minute, and falls while nothing is done', () => {
    const progress = running();
    for (let second = 1; second <= 4; second++) rows(progress, second, second * 1_000);
    expect(progress.summary(4_000)).not.toHaveProperty('rowsPerSecond');
    rows(progress, 5, 5_000);
    expect(progress.summary(5_000).rowsPerSecond).toBe(1_000);
    expect(progress.summary(10_000).rowsPerSecond).toBe(500);
    expect(progress.summary(70_000)).not.toHaveProperty('rowsPerSecond');
  });

  test('tells when the rest is done, what is not cut yet included, and only once the whole file is here', () => {
    for (const sealed of [true, false]) {
      const progress = running({ sealed });
      for (let second = 1; second <= 10; second++) rows(progress, second, second * 1_000);
      const { rowsPerSecond, estimatedCompletionAt } = progress.summary(10_000);
      expect(rowsPerSecond).toBe(1_000);
      // 10,000 rows of batches, and as many bytes again as were cut into 20,000 rows
      expect(estimatedCompletionAt).toBe(sealed ? new Date(10_000 + 30_000).toISOString() : undefined);
    }
  });

  test('is known to the next execution, and begins anew when rows are run again', () => {
    const progress = running();
    for (let second = 1; second <= 6; second++) rows(progress, second, second * 1_000);
    const next = new ImportProgress({ ...INPUT, ...progress.carry() });
    expect(next.summary(6_000).rowsPerSecond).toBe(1_000);
    next.beginCheck();
    next.checked(state({ next: 21, rowsRead: 20_000 }), 7_000);
    expect(next.summary(7_000)).not.toHaveProperty('rowsPerSecond');
  });
});

test('content is not cut again before the time that the last cut has named', () => {
  const progress = new ImportProgress(INPUT);
  progress.beginCheck();
  progress.checked(state(), 0);
  expect(progress.nextStep(false, 0)).toEqual({ kind: 'cut', room: 4 });
  progress.beginCut();
  const { isAtEnd, sealed, bytesRead, received } = state();
  const rest = {
    isAtEnd,
    sealed,
    bytesRead,
    received,
    rowsRead: 10,
    retryFrom: null,
    hasFew: false,
    hasRetried: false,
  };
  progress.cut({ ...rest, batches: [open(1)], notBefore: 5_000 }, 1_000);
  progress.reported(finished(1), 2_000);
  expect(progress.nextStep(false, 2_000)).toEqual({ kind: 'wait', until: 5_000 });
  expect(progress.nextStep(false, 5_000)).toEqual({ kind: 'cut', room: 4 });
  // the clock of the worker is far behind, or ahead: it is not asked again at once, nor too late
  for (const [notBefore, waitMs, until] of [
    [1_000, 2_000, 7_000],
    [99_000, 2_000, 7_000],
    [5_000, -1, 5_100],
  ] as const) {
    progress.cut({ ...rest, batches: [], notBefore, waitMs }, 5_000);
    expect(progress.nextStep(false, 5_000)).toEqual({ kind: 'wait', until });
    expect(progress.nextStep(false, until)).toEqual({ kind: 'cut', room: 4 });
  }
});
