import { expect, test } from 'vitest';
import { fairness } from '../../../domain/batch/fairness-key.ts';

test('tenants take turns, and small batches with large ones of the same tenant', () => {
  const keys = ['p/a', 'p/b'].flatMap((scope) => [10, 1000].map((total) => fairness({ scope, total }).fairnessKey));
  expect(new Set(keys).size).toBe(4);
  expect(fairness({ scope: 'p/a', total: 7 })).toEqual(fairness({ scope: 'p/a', total: 100 }));
});

test('long names that begin alike have turns of their own, within what Temporal takes', () => {
  const long = 'platform'.repeat(20);
  const [one, other] = [`${long}/tenant-1`, `${long}/tenant-2`].map(
    (scope) => fairness({ scope, total: 1 }).fairnessKey,
  );
  expect(one).not.toBe(other);
  for (const key of [one, other]) expect(Buffer.byteLength(key ?? '')).toBeLessThanOrEqual(64);
});
