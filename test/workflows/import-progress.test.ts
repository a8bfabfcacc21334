import { describe, expect, test } from 'vitest';
import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import type { BatchReport } from '../../domain/imports/import.ts';
import { ImportProgress } from '../../workflows/imports/import-progress.ts';
import type { ImportState } from '../../workflows/imports/messages.ts';

const NOTHING = { counts: noCounts(), actions: noActions(), errorCodes: {} };
const INPUT = {
  importId: 'import',
  scope: 'default/default',
  schemaName: 'city',
  run: 1,
  window: 4,
  activityTimeoutSeconds: 20,
  waits: true,
};

const state = (more: Partial<ImportState> = {}): ImportState => ({
  suspended: false,
  cancelled: false,
  next: 1,
  isAtEnd: false,
  sealed: true,
  rowsRead: 0,
  bytesRead: 0,
  received: 100,
  finished: NOTHING,
  finishedBatches: 0,
  open: [],
  ...more,
});

const finished = (number: number, succeeded = 10): BatchReport => ({
  ...NOTHING,
  counts: { succeeded },
  number,
  isFinished: true,
  round: 0,
});
const waiting = (number: number, pending: number, round = 0): BatchReport => ({
  ...NOTHING,
  counts: { pending, succeeded: 10 - pending },
  number,
  isFinished: false,
  round,
});
const open = (number: number) => ({ number, total: 10 });
const step = (progress: ImportProgress) => progress.nextStep(false).kind;

/** An import whose content is cut into two batches of 10 rows. */
function cutInTwo(): ImportProgress {
  const progress = new ImportProgress(INPUT);
  progress.beginCheck();
  progress.checked(state({ next: 3, isAtEnd: true, rowsRead: 20, open: [open(1), open(2)] }), 0);
  return progress;
}

describe('a report', () => {
  test('that comes while a check reads what is stored is not lost, whether the check has read it or not', () => {
    for (const isRead of [false, true]) {
      const progress = cutInTwo();
      progress.beginCheck();
      progress.reported(finished(1), 0);
      const counts = { ...noCounts(), succeeded: 10 };
      const read = isRead
        ? { finished: { ...NOTHING, counts }, finishedBatches: 1, open: [open(2)] }
        : { open: [open(1), open(2)] };
      progress.checked(state({ next: 3, isAtEnd: true, rowsRead: 20, ...read }), 0);
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
});

describe('what waits until the end of the import', () => {
  test('is ended after a round in which no item was finished, and not before', () => {
    const progress = cutInTwo();
    expect(step(progress)).toBe('wait');
    progress.reported(waiting(1, 4), 0);
    expect(step(progress)).toBe('wait');
    progress.reported(waiting(2, 3), 0);
    expect(step(progress)).toBe('check-round');
    progress.beginRound();
    expect(step(progress)).toBe('wait');
    // an item of the first batch was finished meanwhile: it may have created what the second one misses
    progress.reported(waiting(1, 2, 1), 0);
    progress.reported(waiting(2, 3, 1), 0);
    expect(step(progress)).toBe('check-round');
    progress.beginRound();
    progress.reported(waiting(1, 2, 2), 0);
    expect(step(progress)).toBe('wait');
    progress.reported(waiting(2, 3, 2), 0);
    expect(step(progress)).toBe('end-waits');
    progress.endWaits();
    expect([step(progress), progress.asked]).toEqual(['wait', { round: 2, isEnd: true }]);
    progress.reported(finished(1), 0);
    progress.reported(finished(2), 0);
    expect(step(progress)).toBe('finish');
  });

  test('is not ended by rounds of an execution before this one', () => {
    const progress = new ImportProgress(INPUT);
    progress.beginCheck();
    const before = [1, 2].map((number) => ({ ...open(number), report: waiting(number, 3, 5) }));
    progress.checked(state({ next: 3, isAtEnd: true, rowsRead: 20, open: before }), 0);
    expect(step(progress)).toBe('check-round');
    progress.beginRound();
    expect(progress.asked).toEqual({ round: 6 });
  });
});

test('the window is filled when half of it is free; what waits takes no place', () => {
  const progress = new ImportProgress(INPUT);
  progress.beginCheck();
  progress.checked(state({ next: 5, rowsRead: 40, open: [1, 2, 3, 4].map(open) }), 0);
  expect(step(progress)).toBe('wait');
  progress.reported(finished(1), 0);
  expect(step(progress)).toBe('wait');
  progress.reported(waiting(2, 1), 0);
  expect(progress.nextStep(false)).toEqual({ kind: 'cut', room: 2 });
});
