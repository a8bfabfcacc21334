import { expect, test } from 'vitest';
import { fairness } from '../../../domain/batch/fairness-key.ts';

test('tenants have different fairness keys, and so have small and large batches, imports and priorities of one tenant', () => {
  const keys = ['p/a', 'p/b'].flatMap((scope) => [
    ...[10, 1000].map((total) => fairness({ scope, total }).fairnessKey),
    fairness({ scope, total: 10, ofImport: { priority: 3 } }).fairnessKey,
    fairness({ scope, total: 10, ofImport: { priority: 1 } }).fairnessKey,
    fairness({ scope, total: 10, priority: 1 }).fairnessKey,
  ]);
  expect(new Set(keys).size).toBe(10);
  expect(fairness({ scope: 'p/a', total: 7 })).toEqual(fairness({ scope: 'p/a', total: 100 }));
  expect(fairness({ scope: 'p/a', total: 7 })).toEqual({ fairnessKey: 's/p/a' });
});

test('the priority of a tenant is a larger or smaller share, and none keeps another tenant from running; that of the operator comes before all', () => {
  const weights = [1, 2, 3, 4, 5].map((priority) => {
    const { fairnessWeight = 1, priorityKey } = fairness({ scope: 'p/a', total: 7, priority });
    expect(priorityKey).toBeUndefined();
    return fairnessWeight;
  });
  expect(weights).toEqual([4, 2, 1, 0.5, 0.25]);
  expect(fairness({ scope: 'p/a', total: 7, priority: 1, isForAll: true })).toMatchObject({ priorityKey: 1 });
  expect(fairness({ scope: 'p/a', total: 7, priority: 3, isForAll: true })).toEqual({ fairnessKey: 's/p/a' });
});

test("long names with the same beginning have different keys, within Temporal's limit", () => {
  const long = 'platform'.repeat(20);
  const [one, other] = [`${long}/tenant-1`, `${long}/tenant-2`].map(
    (scope) => fairness({ scope, total: 1 }).fairnessKey,
  );
  expect(one).not.toBe(other);
  for (const key of [one, other]) expect(Buffer.byteLength(key ?? '')).toBeLessThanOrEqual(64);
});

test('a batch of an import has a key of its own, and at most the weight of another batch: less with each lower priority', () => {
  const weights = [1, 2, 3, 4, 5].map((priority) => {
    const key = fairness({ scope: 'p/a', total: 1000, ofImport: { priority } });
    expect(key.fairnessKey).not.toBe(fairness({ scope: 'p/a', total: 1000 }).fairnessKey);
    return key.fairnessWeight ?? Number.NaN;
  });
  expect(weights[0]).toBe(1);
  expect(weights).toEqual([...new Set(weights)].sort((a, b) => b - a));
  expect(Math.min(...weights)).toBeGreaterThan(0);
  expect(fairness({ scope: 'p/a', total: 10 }).fairnessWeight ?? 1).toBe(1);
});
