import { describe, expect, test } from 'vitest';
import { hasAnotherPass } from '../../../domain/bulk/bulk-operation.ts';
import { MAX_UNDO_PASSES } from '../../../domain/limits.ts';
import { isInState, undoEntriesOf, versionOfData } from '../../../domain/undo/undo-entry.ts';

const state = (version: number, id = 'life') => ({ id, version });

describe('a resource is in the state that a batch has left', () => {
  test('by life and version, or by the version that an undo has taken it back to', () => {
    expect(isInState(state(2), state(2))).toBe(true);
    expect(isInState(state(3), state(2))).toBe(false);
    expect(isInState(state(2, 'another life'), state(2))).toBe(false);
    expect(isInState({ ...state(4), restored: { at: 4, version: 2 } }, state(2))).toBe(true);
    expect(isInState({ ...state(4), restored: { at: 4, version: 2 } }, state(4))).toBe(true);
    expect(isInState({ ...state(4), restored: { at: 4, version: 2 } }, state(3))).toBe(false);
    expect(isInState(undefined, null)).toBe(true);
    expect(isInState(state(1), null)).toBe(false);
  });

  test('but not once it was written again, also by a worker that does not know of undos', () => {
    const written = { ...state(5), restored: { at: 4, version: 2 } };
    expect([isInState(written, state(2)), versionOfData(written)]).toEqual([false, 5]);
  });
});

test('effects without a write of others in between are undone as one, the earlier ones are stale', () => {
  const effect = (index: number, version: number, action: 'created' | 'updated' = 'updated') =>
    ({ index, key: 'k', action, wrote: state(version) }) as never;
  expect(undoEntriesOf([effect(0, 1, 'created'), effect(1, 2)])).toMatchObject([
    { kind: 'remove', expects: state(2) },
    { kind: 'remove', leader: 0 },
  ]);
  expect(undoEntriesOf([effect(0, 2), effect(1, 5)])).toMatchObject([
    { kind: 'restore', expects: state(5), before: state(4) },
    { kind: 'stale' },
  ]);
});

test('the undo of an import has another pass if something is left, and the pass before has reverted something', () => {
  expect(hasAnotherPass({ pass: 1, left: 1, reverted: 1 })).toBe(true);
  expect(hasAnotherPass({ pass: 1, left: 1, reverted: 0 })).toBe(false);
  expect(hasAnotherPass({ pass: 1, left: 0, reverted: 5 })).toBe(false);
  expect(hasAnotherPass({ pass: MAX_UNDO_PASSES, left: 1, reverted: 1 })).toBe(false);
});
