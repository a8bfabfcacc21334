import { expect, test } from 'vitest';
import { addInto, tallyOf } from '../../../domain/batch/tally.ts';

test('a tally counts each item once by status and action, and once for each of its codes', () => {
  const two = [
    { code: 'validation' as const, message: 'a' },
    { code: 'validation' as const, message: 'b' },
    { code: 'unknown_field' as const, message: 'c' },
  ];
  expect(
    tallyOf([
      { status: 'succeeded', action: 'created' },
      { status: 'succeeded', action: 'created' },
      { status: 'succeeded', action: 'deleted', repeat: true },
      { status: 'failed', errors: two },
      { status: 'pending' },
    ]),
  ).toEqual({
    counts: { succeeded: 3, failed: 1, pending: 1 },
    actions: { created: 2 },
    errorCodes: { validation: 1, unknown_field: 1 },
  });
});

test('sums grow by added tallies, and shrink by subtracted ones', () => {
  const sums: Partial<Record<'a' | 'b', number>> = { a: 1 };
  addInto(sums, { a: 2, b: 3 });
  expect(sums).toEqual({ a: 3, b: 3 });
  addInto(sums, { a: 3 }, -1);
  expect(sums).toEqual({ a: 0, b: 3 });
});
