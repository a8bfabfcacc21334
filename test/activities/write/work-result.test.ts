import { expect, test } from 'vitest';
import { toWorkResult } from '../../../activities/finish/work-result.ts';
import type { StoredOutcome } from '../../../store/items/outcomes.ts';

test('the result of an activity: counts, the deadlines of pending items, and whether a finished item has waited', () => {
  const expiresAt = new Date('2026-01-01T00:00:00Z');
  const pending: StoredOutcome = { status: 'pending', attempts: 1, missing: [], pendingSince: expiresAt, expiresAt };
  const groups = [{ expiresAt: expiresAt.getTime(), indexes: [1, 2] }];
  const outcomes = new Map<number, StoredOutcome>([
    [0, { status: 'succeeded', action: 'created', attempts: 1 }],
    [1, pending],
    [2, pending],
  ]);
  expect(toWorkResult([0, 1, 2, 3], outcomes)).toEqual({
    tally: { counts: { succeeded: 1, pending: 2, queued: 1 }, actions: { created: 1 }, errorCodes: {} },
    pending: groups,
  });
  outcomes.set(0, {
    status: 'succeeded',
    action: 'created',
    attempts: 2,
    waitedFor: ['default/default/city/1'],
  });
  expect(toWorkResult([0, 1, 2], outcomes)).toMatchObject({ pending: groups, hasWaited: true });
});
