import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tally } from '../../domain/batch/tally.ts';
import { BatchState } from '../../workflows/batch-state.ts';

const tally = (
  counts: Tally['counts'],
  actions: Tally['actions'] = {},
  errorCodes: Tally['errorCodes'] = {},
): Tally => ({ counts, actions, errorCodes });
const sumOf = (state: BatchState): number => Object.values(state.summary().counts).reduce((sum, n) => sum + n, 0);
const pendingAt = (expiresAt: number, ...indexes: number[]) => ({ expiresAt, indexes });

describe('the state of a batch', () => {
  test('is queued, then processing, then waiting if only pending items are left', () => {
    const state = new BatchState({ total: 2 });
    expect(state.summary()).toMatchObject({ status: 'queued', counts: { queued: 2 } });
    state.started = true;
    expect(state.summary().status).toBe('processing');
    state.add(tally({ succeeded: 1, pending: 1 }, { created: 1 }), [pendingAt(1_000, 1)]);
    expect(state.summary()).toMatchObject({
      status: 'waiting',
      pendingUntil: '1970-01-01T00:00:01.000Z',
      counts: { queued: 0, pending: 1, succeeded: 1 },
    });
    state.replace([1], tally({ succeeded: 1 }, { created: 1 }), []);
    expect(state.summary()).toMatchObject({
      status: 'processing',
      counts: { pending: 0, succeeded: 2 },
      actions: { created: 2 },
    });
    expect(state.summary()).not.toHaveProperty('pendingUntil');
  });

  test('knows each deadline: the next one, and what is due', () => {
    const state = new BatchState({ total: 4 });
    state.add(tally({ pending: 4 }), [pendingAt(3_000, 0, 3), pendingAt(1_000, 2), pendingAt(2_000, 1)]);
    expect(state.nextDeadline).toBe(1_000);
    expect(state.dueAt(999)).toEqual([]);
    expect(state.dueAt(2_000)).toEqual([1, 2]);
    expect(state.pendingItems()).toEqual([
      { index: 0, expiresAt: '1970-01-01T00:00:03.000Z' },
      { index: 1, expiresAt: '1970-01-01T00:00:02.000Z' },
      { index: 2, expiresAt: '1970-01-01T00:00:01.000Z' },
      { index: 3, expiresAt: '1970-01-01T00:00:03.000Z' },
    ]);
    state.replace([2], tally({ expired: 1 }, {}, { dependency_expired: 1 }), []);
    expect(state.nextDeadline).toBe(2_000);
    expect(state.summary().errorCodes).toEqual({ dependency_expired: 1 });
  });

  test('requeues pending items, each once', () => {
    const state = new BatchState({ total: 3 });
    state.add(tally({ pending: 2, failed: 1 }), [pendingAt(1_000, 0, 1)]);
    state.requeue([0, 2]);
    state.requeue([0]);
    expect(state.summary().counts).toMatchObject({ queued: 1, pending: 1, failed: 1 });
    expect([state.isPending(0), state.isPending(1)]).toEqual([false, true]);
  });

  test('goes through continue-as-new as JSON and is the same, except that it checks once more', () => {
    const state = new BatchState({ total: 5 });
    state.started = true;
    state.add(tally({ succeeded: 1, failed: 1, pending: 3 }, { created: 1 }, { validation: 1 }), [
      pendingAt(1_000, 2, 4),
      pendingAt(2_000, 3),
    ]);
    state.suspended = true;
    const carried = JSON.parse(JSON.stringify(state.carry()));
    const next = new BatchState({ total: 5, carried });
    expect(next.summary()).toEqual(state.summary());
    expect(next.pendingItems()).toEqual(state.pendingItems());
    expect([next.started, next.suspended, next.cancelled, next.woken]).toEqual([true, true, false, true]);
    expect(carried.pending).toHaveLength(2);
  });

  test('adds up to the total whatever happens', () => {
    const total = 12;
    const step = fc.record({
      kind: fc.constantFrom('add', 'replace', 'requeue', 'carry'),
      indexes: fc.uniqueArray(fc.nat(total - 1), { maxLength: 5 }),
      status: fc.constantFrom('succeeded', 'failed', 'pending', 'expired', 'queued'),
      deadline: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let state = new BatchState({ total });
        const queued = new Set(Array.from({ length: total }, (_, index) => index));
        for (const { kind, indexes, status, deadline } of steps) {
          const pending = status === 'pending' ? (some: number[]) => [pendingAt(deadline, ...some)] : () => [];
          if (kind === 'carry') state = new BatchState({ total, carried: state.carry() });
          else if (kind === 'requeue') {
            for (const index of indexes) if (state.isPending(index)) queued.add(index);
            state.requeue(indexes);
          } else if (kind === 'add') {
            const some = indexes.filter((index) => queued.has(index));
            if (status !== 'queued') for (const index of some) queued.delete(index);
            if (some.length > 0) state.add(tally({ [status]: some.length }), pending(some));
          } else {
            const some = indexes.filter((index) => state.isPending(index));
            if (status === 'queued') for (const index of some) queued.add(index);
            if (some.length > 0) state.replace(some, tally({ [status]: some.length }), pending(some));
          }
          expect(sumOf(state)).toBe(total);
          expect(state.summary().counts).toMatchObject({ queued: queued.size, pending: state.pendingIndexes.length });
        }
      }),
    );
  });
});
