import { expect, test } from 'vitest';
import { fairness } from '../../../domain/batch/fairness-key.ts';

test('tenants have different fairness keys, and so have small and large batches of one tenant', () => {
  const keys = ['p/a', 'p/b'].flatMap((scope) => [10, 1000].map((total) => fairness({ scope, total }).fairnessKey));
  expect(new Set(keys).size).toBe(4);
  expect(fairness({ scope: 'p/a', total: 7 })).toEqual(fairness({ scope: 'p/a', total: 100 }));
});

test("long names with the same beginning have different keys, within Temporal's limit", () => {
  const long = 'platform'.repeat(20);
  const [one, other] = [`${long}/tenant-1`, `${long}/tenant-2`].map(
    (scope) => fairness({ scope, total: 1 }).fairnessKey,
  );
  expect(one).not.toBe(other);
  for (const key of [one, other]) expect(Buffer.byteLength(key ?? '')).toBeLessThanOrEqual(64);
});
